@testable import Keybearer
@testable import KeybearerServer

/// Who and what is around a subject.
struct WalkTeam: Sendable {
    /// A Member of the subject's workspace.
    let colleague: UserID
    /// A service account of the subject's workspace.
    let serviceAccount: UserID
    /// One that waits in the subject's workspace.
    let invitation: InvitationID
    /// Who invites the subject.
    let host: UserID
    let hostWorkspace: WorkspaceID
    /// The subject's invitation to the host's workspace, and its code.
    let hostInvitation: InvitationID
    let code: String

    static let none = WalkTeam(
        colleague: UserID(rawValue: "usr_none"), serviceAccount: UserID(rawValue: "usr_none"),
        invitation: InvitationID(rawValue: "inv_none"),
        host: UserID(rawValue: "usr_none"), hostWorkspace: WorkspaceID(rawValue: "ws_none"),
        hostInvitation: InvitationID(rawValue: "inv_none"), code: "")
}

/// An account, and what was stolen from it.
struct WalkSubject: Sendable {
    static let password = Password("the holder's own words")

    let account: Account
    let key: String
    /// Where its requests come from: its own, so that no throttle counts across subjects.
    let address: IPAddress
    let email: String
    let workspace: WorkspaceID
    let cookie: String
    let session: SessionID
    /// Another device of the holder.
    let otherSession: SessionID
    let thirdSession: SessionID
    let operatorToken: String
    let operatorTokenID: OperatorTokenID
    /// Of a link that signs the account in.
    let portalCode: String
    /// With which the account is connected.
    let identity: ConnectedIdentity
    /// Of a thief who wants to be connected with the account.
    let attempt: SignInAttempt
    let team: WalkTeam
    /// Signs the account in once; empty where it has no second factor.
    let recoveryCode: String
    /// Of a thief who has given the password.
    let pendingSignIn: String
    /// Of links in mails: to verify the address, to get another one, to reset the password.
    let verifyCode: String
    let changeCode: String
    let resetCode: String
    /// A webhook of the workspace, and a message that was queued for it.
    let webhook: WebhookEndpointID
    let message: WebhookMessageID
    /// Another one, which is disabled.
    let disabledWebhook: WebhookEndpointID
    /// Nobody else's.
    let eventType: EventName

    var id: UserID { account.user.id }

    /// What every request of the walk carries.
    var headers: [(String, String)] {
        [("X-Forwarded-For", address.description), ("X-Forwarded-Proto", "https")]
    }

    /// A page's form, with the stolen cookie.
    func form(_ path: String, _ pairs: [String: String] = [:]) -> WireRequest {
        var request = openForm(path, pairs)
        request.headers.append(("Cookie", "\(SessionCookie.name)=\(cookie)"))
        return request
    }

    /// The form that connects the account with who the thief is at the provider.
    var linkForm: WireRequest {
        var request = openForm("/sign-in/oidc/link", [:])
        let name = AttemptCookie(beside: SessionCookie()).name
        request.headers.append(("Cookie", "\(SessionCookie.name)=\(cookie); \(name)=\(attempt.cookieValue)"))
        return request
    }

    /// The form that ends a sign-in with a code.
    var codeForm: WireRequest {
        var request = openForm("/sign-in/code", ["code": recoveryCode])
        request.headers.append(("Cookie", "\(PendingSignInCookie(beside: SessionCookie()).name)=\(pendingSignIn)"))
        return request
    }

    /// A page's form, of somebody who is not signed in.
    func openForm(_ path: String, _ pairs: [String: String]) -> WireRequest {
        let body =
            pairs.isEmpty ? "from=page" : pairs.sorted { $0.key < $1.key }.map(Self.encode).joined(separator: "&")
        return WireRequest(
            method: "POST", path: path,
            headers: headers + [
                ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/x-www-form-urlencoded"),
            ], body: Array(body.utf8))
    }

    /// A program's request, with a bearer token.
    func bearer(
        _ token: String, _ path: String, method: String = "POST", type: String, body: String
    ) -> WireRequest {
        WireRequest(
            method: method, path: path,
            headers: headers + [("Authorization", "Bearer \(token)"), ("Content-Type", type)], body: Array(body.utf8))
    }

    private static func encode(_ name: String, _ value: String) -> String {
        name + "=" + DashboardResponder.escape(value)
    }
}
