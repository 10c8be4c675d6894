import HTTPTypes
import Keybearer

extension Routes {
    /// What members do with a workspace. Each route names its action: the table of roles says who may do it.
    static func workspacePages(_ workspaces: WorkspacePageHandlers) -> [Route] {
        [
            .session(.get, "/workspaces/new", workspaces.newPage),
            .session(.post, "/workspaces", workspaces.create),
            .workspace(.get, "/settings", does: .openWorkspace, workspaces.settings),
            .workspace(.get, "/plans", does: .openWorkspace, workspaces.plans),
            .workspace(.post, "/rename", does: .renameWorkspace, workspaces.rename),
            .workspace(.post, "/default", does: .openWorkspace, workspaces.makeDefault),
            .workspace(.post, "/delete", does: .deleteWorkspace, workspaces.delete),
        ]
    }
}
