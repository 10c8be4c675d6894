import HTTPTypes
import Keybearer

extension Routes {
    /// The operator API: service accounts. What is done to one is done by the routes of users.
    static func operatorServiceAccounts(_ accounts: ServiceAccountHandlers) -> [Route] {
        [
            .operatorToken(
                .get, "/operator/v1/workspaces/{workspace}/service-accounts", for: .readUsers,
                returns: CursorPage<UserJSON>.self, with: Endpoint.Parameter.cursor,
                summary: "List a workspace's service accounts", accounts.list),
            .operatorWrite(
                .post, "/operator/v1/workspaces/{workspace}/service-accounts", for: .writeUsers,
                returns: Success<UserJSON>.self, takes: .json(ServiceAccountHandlers.members),
                summary: "Create a service account: a member that is not a person", accounts.create),
        ]
    }

    /// Service accounts in the dashboard. The page of one shows its key as a person's page shows the person's.
    static func serviceAccountPages(_ keys: KeyPages, _ usage: UsagePageHandlers) -> [Route] {
        let one = "/service-accounts/{userID}"
        return [
            .workspace(.get, "/service-accounts", does: .openWorkspace, keys.serviceAccounts.list),
            .workspace(.post, "/service-accounts", does: .manageServiceAccounts, keys.serviceAccounts.create),
            .workspace(.get, one, does: .manageServiceAccounts, keys.key.page),
            .workspace(.get, one + "/record", does: .manageServiceAccounts, keys.key.record),
            .workspace(.get, one + "/usage", does: .manageServiceAccounts, usage.page),
            .workspace(.get, one + "/usage.csv", does: .manageServiceAccounts, usage.csv),
            .workspace(.post, one + "/reveal", does: .revealServiceKey, keys.key.reveal),
            .workspace(.get, one + "/regenerate", does: .regenerateServiceKey, keys.key.regeneratePage),
            .workspace(.post, one + "/regenerate", does: .regenerateServiceKey, keys.key.regenerate),
            .workspace(.post, one + "/networks", does: .changeServiceNetworks, keys.networks.change),
            .workspace(.post, one + "/try", does: .revealServiceKey, keys.trial.run),
            .workspace(.post, one + "/rename", does: .manageServiceAccounts, keys.serviceAccounts.rename),
            .workspace(.post, one + "/disable", does: .manageServiceAccounts, keys.serviceAccounts.disable),
            .workspace(.post, one + "/enable", does: .manageServiceAccounts, keys.serviceAccounts.enable),
            .workspace(.post, one + "/delete", does: .manageServiceAccounts, keys.serviceAccounts.delete),
        ]
    }

    /// The forms that show the key of a service account, and replace it.
    static let revealServiceKey = "/workspaces/{workspaceID}/service-accounts/{userID}/reveal"
    static let regenerateServiceKey = "/workspaces/{workspaceID}/service-accounts/{userID}/regenerate"
}
