import HTTPTypes
import Keybearer

extension Routes {
    /// `GET /api/v1/me`: the request of every example.
    static func profile(_ api: APIHandlers) -> Route {
        .key(
            .get, "/api/v1/me", returns: ProfileBytes.self, summary: "Get the key's account", .memory(api.me))
    }

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

    /// What members do with each other, and how others join them.
    static func teamPages(_ team: TeamPageHandlers, _ invitations: InvitationHandlers) -> [Route] {
        [
            .workspace(.get, "/team", does: .openWorkspace, team.page),
            .workspace(.post, "/members/{userID}/role", does: .manageMembers, team.changeRole),
            .workspace(.post, "/members/{userID}/remove", does: .manageMembers, team.remove),
            .workspace(.post, "/leave", does: .leaveWorkspace, team.leave),
            .workspace(.post, "/invitations", does: .inviteMembers, team.invite),
            .workspace(.post, "/invitations/{invitationID}/withdraw", does: .inviteMembers, team.withdraw),
            .anyone(.get, "/invitations", invitations.page),
            .session(.post, "/invitations/accept", invitations.accept),
            .anyone(.post, "/invitations/ask", invitations.requestAnother),
        ]
    }
}
