package import Keybearer
import Synchronization

/// A provider that says what a test lets it say. The tests in Python have real ones.
package final class FixedIdentityProvider: IdentityProvider {
    private struct State {
        var reply: Result<IdentityClaims, IdentityProviderFailure>
        var requests: [AuthorizationRequest] = []
        var grants: [AuthorizationGrant] = []
    }
    /// What the provider is called by itself.
    package static let issuer = "https://login.example"
    private let state: Lock<State>

    /// Knows Ada, and her address.
    package init() {
        state = Lock(State(reply: .success(Self.claims())))
    }

    /// What it says of a person.
    package static func claims(
        _ subject: String = "ada", email: String? = "ada@example.com",
        _ verification: IdentityClaims.Verification = .verified, name: String? = "Ada"
    ) -> IdentityClaims {
        IdentityClaims(
            identity: Identity(issuer: issuer, subject: subject), email: email, verification: verification, name: name)
    }

    /// What it says next.
    package func says(_ reply: Result<IdentityClaims, IdentityProviderFailure>) {
        state.withLock { $0.reply = reply }
    }

    /// What it was asked for, in order.
    package var requests: [AuthorizationRequest] { state.withLock { $0.requests } }
    /// What codes were traded with, in order.
    package var grants: [AuthorizationGrant] { state.withLock { $0.grants } }

    package func authorizationURL(for request: AuthorizationRequest) async throws -> String {
        let reply = state.withLock { state in
            state.requests.append(request)
            return state.reply
        }
        if case .failure(.unreachable(let text)) = reply { throw IdentityProviderFailure.unreachable(text) }
        return "\(Self.issuer)/authorize?state=\(request.state)"
    }

    package func claims(for grant: AuthorizationGrant) async throws -> IdentityClaims {
        try state.withLock { state in
            state.grants.append(grant)
            return state.reply
        }.get()
    }
}
