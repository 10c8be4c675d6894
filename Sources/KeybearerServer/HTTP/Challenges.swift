import Keybearer

/// Why a 401 asks for credentials.
enum Challenge: Sendable {
    /// No token was sent.
    case missing
    /// A token was sent and is not valid.
    case refused
}

/// The values of `WWW-Authenticate`, whose realm is the product's name. A challenge says that a token was wrong only where
/// one was sent.
///
/// A class, since what holds it is copied on the way of requests.
final class Challenges: Sendable {
    private let missing: String
    /// Where a key was sent and is not valid.
    let refused: String
    /// Where a page needs a session.
    let session: String
    private let operatorMissing: String
    private let operatorRefused: String

    init(product: ProductName = .standard) {
        missing = #"Bearer realm="\#(product.realm)""#
        refused = missing + #", error="invalid_token""#
        session = #"Session realm="\#(product.realm)""#
        operatorMissing = #"Bearer realm="\#(product.realm) operators""#
        operatorRefused = operatorMissing + #", error="invalid_token""#
    }

    /// Where a Secret Key is asked for.
    func key(_ challenge: Challenge) -> String {
        switch challenge {
        case .missing: missing
        case .refused: refused
        }
    }

    /// Where an operator token is asked for.
    func operatorToken(_ challenge: Challenge) -> String {
        switch challenge {
        case .missing: operatorMissing
        case .refused: operatorRefused
        }
    }
}
