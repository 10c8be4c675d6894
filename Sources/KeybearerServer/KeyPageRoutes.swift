import HTTPTypes
import Keybearer

extension Routes {
    /// The pages and forms of a member's own key.
    static func keyPages(_ keys: KeyPages, _ usage: UsagePageHandlers) -> [Route] {
        [
            .workspace(.get, "/api-webhooks", does: .openWorkspace, inPortal: [.apiKey], keys.key.page),
            .workspace(.get, "/api-webhooks/record", does: .openWorkspace, inPortal: [.apiKey], keys.key.record),
            .workspace(.get, "/api-webhooks/usage", does: .openWorkspace, inPortal: [.apiKey], usage.page),
            .workspace(.get, "/api-webhooks/usage.csv", does: .openWorkspace, inPortal: [.apiKey], usage.csv),
            .workspace(.post, "/api-webhooks/reveal", does: .revealKey, inPortal: [.apiKey], keys.key.reveal),
            .workspace(
                .get, "/api-webhooks/regenerate", does: .regenerateKey, inPortal: [.apiKey], keys.key.regeneratePage),
            .workspace(
                .post, "/api-webhooks/regenerate", does: .regenerateKey, inPortal: [.apiKey], keys.key.regenerate),
            .workspace(
                .post, "/api-webhooks/networks", does: .changeNetworks, inPortal: [.apiKey], keys.networks.change),
            .workspace(.post, "/api-webhooks/try", does: .revealKey, inPortal: [.apiKey], keys.trial.run),
        ]
    }

    /// The form that shows the key.
    static let reveal = "/workspaces/{workspaceID}/api-webhooks/reveal"
    /// The form that replaces it.
    static let regenerate = "/workspaces/{workspaceID}/api-webhooks/regenerate"
}
