import Testing

@testable import Keybearer

@Suite("A webhook secret")
struct WebhookSecretTests {
    @Test("Is written and read again, with its prefix and without")
    func roundTrip() throws {
        let secret = WebhookSecret.random(from: .system)
        #expect(secret.bytes.count == 32)
        #expect(secret.text.hasPrefix("whsec_") && secret.text.utf8.count == 50)
        #expect(try #require(WebhookSecret(secret.text)) == secret)
        #expect(try #require(WebhookSecret(String(secret.text.dropFirst(6)))) == secret)
        #expect(secret != WebhookSecret.random(from: .system))
    }

    @Test(
        "What is none is refused",
        arguments: [
            "", "whsec_", "whsec_AAAA", "whsec_not base64 at all!", "whsec_" + String(repeating: "A", count: 200),
        ])
    func refused(text: String) {
        #expect(WebhookSecret(text) == nil)
    }

    @Test("Prints as its kind alone")
    func hidden() throws {
        let secret = WebhookSecret.random(from: .system)
        var dumped = ""
        dump(secret, to: &dumped)
        let printed = "\(secret) \(String(reflecting: secret)) \(dumped)"
        #expect(!printed.contains(secret.text.dropFirst(6)) && !printed.contains("\(secret.bytes[0]), "))
    }
}
