import HTTPTypes
import HummingbirdCore
import Keybearer

/// What a failed request for the key leaves behind, for browsers without scripts: whether the key was changed, and how to
/// find out.
struct KeyRequestOutcome: Sendable, Equatable {
    /// The sentence.
    let text: String
    /// The form that sends a regenerate again; nil where nothing is unknown.
    let again: RegenerateAgain?
}

extension KeyRequestOutcome {
    /// Nil where the request was none for the key, or where its refusal says enough.
    init?(after error: KeybearerError, of context: RequestContext, on route: Route?) {
        guard [.unavailable, .internalError].contains(error.code), route?.method == .post else { return nil }
        switch route?.path {
        case Routes.reveal, Routes.revealServiceKey:
            text = "The key could not be shown. It was not changed: showing a key changes nothing."
            again = nil
        case Routes.regenerate, Routes.regenerateServiceKey:
            again = RegenerateAgain(context)
            text =
                "It is not known whether the key was regenerated. "
                + (again == nil
                    ? "Look at the page “API & Webhooks” before you regenerate again."
                    : "Press the button to find out: it sends the same request again, which never makes two keys.")
        default: return nil
        }
    }
}

/// A regenerate that can be sent again without making a second key.
struct RegenerateAgain: Sendable, Equatable {
    /// Where the form goes.
    let path: String
    /// The version of the key that it replaces.
    let version: String
    /// The same value as before, so that the key is replaced once.
    let idempotencyKey: String
}

extension RegenerateAgain {
    /// Nil for a form without these values: sent twice, it could replace two keys.
    init?(_ context: RequestContext) {
        guard let form = try? context.form(), let version = form["version"],
            let idempotencyKey = form["idempotencyKey"], !idempotencyKey.isEmpty
        else { return nil }
        path = String((context.request.head.path ?? "/").prefix { $0 != "?" })
        self.version = version
        self.idempotencyKey = idempotencyKey
    }
}
