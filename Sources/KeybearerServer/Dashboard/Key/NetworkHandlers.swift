import HTTPTypes
import Hummingbird
import Keybearer

/// From where the key may be used: the form on the key's page.
struct NetworkHandlers: Sendable {
    let keys: KeyService
    let keyPage: KeyPageHandlers
    let pages: DashboardResponder

    /// `POST /workspaces/{workspaceID}/api-webhooks/networks`: an empty list is every address. Works while the feature is
    /// locked, as a regenerate does.
    @Sendable func change(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let subject = try await keyPage.subject(context, signedIn)
        return try await RecentSignIn(pages: pages).require(context, signedIn, next: subject.path) {
            let form = try context.form()
            var draft = NetworksPanel.Draft(typed: form["networks"] ?? "")
            do {
                let sources = try await keys.history(of: subject.account).sources.map(\.address)
                var networks = try Self.networks(draft.typed)
                if let pinned = form["pin"] {
                    // Those that the page showed: somebody may have used the key from elsewhere since.
                    networks = try Self.networks(pinned)
                    guard networks != nil else { throw Self.nothingSeen }
                } else if form["confirmed"] == nil {
                    draft.cutOff = cutOff(by: networks, sources, of: subject.account)
                    if !draft.cutOff.isEmpty {
                        return try await show(context, signedIn, subject, draft, .ok)
                    }
                }
                try await keys.setAllowedNetworks(
                    networks, of: subject.account.user.id,
                    // A text that is no number is no record's version.
                    version: form["version"].map { Int(Int32($0) ?? -1) },
                    by: signedIn.authority(from: context.client),
                    needs: subject.changeNetworks)
                return pages.redirect(to: subject.path + (networks == nil ? "?everywhere=1" : "?networks=changed"))
            } catch let error as KeybearerError where [.validationFailed, .conflict].contains(error.code) {
                draft.problem = error.fields["networks"] ?? error.message
                return try await show(context, signedIn, subject, draft, error.code.status)
            }
        }
    }

    private func show(
        _ context: RequestContext, _ signedIn: SessionService.SignedIn, _ subject: KeySubject,
        _ draft: NetworksPanel.Draft, _ status: HTTPResponse.Status
    ) async throws -> Response {
        try await keyPage.show(
            context, signedIn, subject, notice: nil, key: subject.account.key, revealed: nil, draft: draft,
            status: status)
    }

    /// What was typed: one in a line, or separated by spaces or commas; nil for nothing.
    private static func networks(_ typed: String) throws(KeybearerError) -> AllowedNetworks? {
        let texts = typed.split { $0.isWhitespace || $0 == "," }.map(String.init)
        return texts.isEmpty ? nil : try AllowedNetworks(parsing: texts)
    }

    /// From where requests passed that would not any more.
    private func cutOff(by networks: AllowedNetworks?, _ sources: [IPAddress], of account: Account) -> [String] {
        guard let networks else { return [] }
        // The last one may not be written yet.
        let last = keys.withLatestUse(account.key, of: account.user.id).lastUse?.address
        let all = sources + (last.map { sources.contains($0) ? [] : [$0] } ?? [])
        return all.filter { !networks.allow($0) }.map(\.displayName)
    }

    private static let nothingSeen = KeybearerError(
        .conflict, "No request with this key was seen yet. Type the networks instead.")
}
