import Foundation
import HTTPTypes
import Hummingbird
import Keybearer

/// The tool that checks a message which somebody pastes.
extension WebhookPageHandlers {
    /// `POST /workspaces/{workspaceID}/webhooks/{webhookID}/verify`: checks a sample with a secret. Nothing is kept.
    @Sendable func verifySample(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response
    {
        let endpoint = try await found(context, signedIn)
        let form = try context.form()
        let headers = [
            "webhook-id": form["id"], "webhook-timestamp": form["timestamp"], "webhook-signature": form["signature"],
        ]
        var result = SampleResult(isGenuine: false, text: "This is no secret: it begins with whsec_.")
        if let secret = WebhookSecret(form["secret"]?.filter { !$0.isWhitespace } ?? "") {
            // Browsers send a line break of a form as two characters; a payload has one.
            let body = (form["payload"] ?? "").replacing("\r\n", with: "\n")
            let problem = WebhookSignature.problem(body: Array(body.utf8), secrets: [secret], now: nil) { name in
                headers[name].flatMap { $0 }?.trimmingCharacters(in: .whitespacesAndNewlines)
            }
            result = SampleResult(
                isGenuine: problem == nil,
                text: problem?.rawValue
                    ?? "The signature is right: this id, time and payload were signed with this secret.")
        }
        return try await show(endpoint, context, signedIn, sample: result)
    }
}
