import Foundation
import TestSupport
import Testing

@testable import Keybearer

@Suite("The signature of a message")
struct WebhookSignatureTests {
    private static let now = Timestamp(millisecondsSinceEpoch: 1_614_265_330_250)
    private static let body = Array(#"{"test": 2432232314}"#.utf8)
    private static let id = WebhookMessageID(rawValue: "msg_p5jXN8AQM9LWM0D4loKWxJek")

    private static func secret() throws -> WebhookSecret {
        try #require(WebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    }

    private static func headers(_ secrets: [WebhookSecret]) -> [String: String] {
        let headers = WebhookSignature.headers(id: id, at: now, body: body, secrets: secrets)
        return Dictionary(uniqueKeysWithValues: headers.map { ($0.name.lowercased(), $0.value) })
    }

    @Test("Is that of the example of Standard Webhooks")
    func example() throws {
        let headers = Self.headers([try Self.secret()])
        #expect(headers["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek")
        #expect(headers["webhook-timestamp"] == "1614265330")
        #expect(headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    }

    @Test("X-TDC-Signature signs the time, a dot and the body")
    func plain() throws {
        let secret = try Self.secret()
        let value = try #require(Self.headers([secret])["x-tdc-signature"])
        let code = secret.code(over: Array("1614265330.".utf8) + Self.body)
        let text = code.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(value == "t=1614265330,v1=sha256=\(text)")
    }

    @Test("A rotation signs with both, the current one first, and either is believed")
    func rotation() throws {
        let (old, new) = (try Self.secret(), WebhookSecret.random(from: .system))
        let headers = Self.headers([new, old])
        let signatures = try #require(headers["webhook-signature"]).split(separator: " ")
        #expect(signatures.count == 2 && signatures[1] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        #expect(headers["x-tdc-signature"]?.components(separatedBy: ",v1=").count == 3)
        for secret in [old, new] {
            #expect(
                WebhookSignature.problem(body: Self.body, secrets: [secret], now: Self.now) { headers[$0] } == nil)
        }
    }

    @Test("What was changed, is old, or was signed with another secret is not believed")
    func refused() throws {
        let secret = try Self.secret()
        let headers = Self.headers([secret])
        func problem(
            body: [UInt8] = Self.body, secret other: WebhookSecret? = nil, after span: Duration = .zero,
            without missing: String? = nil, instead changes: [String: String] = [:]
        ) -> WebhookSignature.Problem? {
            WebhookSignature.problem(body: body, secrets: [other ?? secret], now: Self.now.advanced(by: span)) { name in
                name == missing ? nil : changes[name] ?? headers[name]
            }
        }
        #expect(problem() == nil)
        #expect(problem(body: Self.body + [32]) == .wrongSignature)
        #expect(problem(secret: .random(from: .system)) == .wrongSignature)
        #expect(problem(instead: ["webhook-id": "msg_other"]) == .wrongSignature)
        #expect(problem(instead: ["webhook-timestamp": "1614265331"]) == .wrongSignature)
        #expect(problem(instead: ["webhook-timestamp": "soon"]) == .noTime)
        #expect(problem(instead: ["webhook-signature": "v2,AAAA v1,===="]) == .wrongSignature)
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            #expect(problem(without: name) == .missingHeader)
        }
        #expect(problem(after: .seconds(299)) == nil && problem(after: .seconds(301)) == .tooOld)
        #expect(problem(after: .seconds(-299)) == nil && problem(after: .seconds(-302)) == .tooNew)
        #expect(WebhookSignature.problem(body: Self.body, secrets: [secret], now: nil) { headers[$0] } == nil)
    }

    @Test("Ids of messages are UUIDs of version 7, in the order of their time and place")
    func ids() throws {
        let ids = (0..<100).map { _ in WebhookMessageID.random(from: .system, at: Samples.start).rawValue }
        #expect(Set(ids).count == 100)
        let pattern = /evt_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/
        #expect(ids.allSatisfy { $0.wholeMatch(of: pattern) != nil && WebhookMessageID(parsing: $0) != nil })
        let together = (0..<1_000).map { WebhookMessageID.random(from: .system, at: Samples.start, place: $0).rawValue }
        #expect(together == together.sorted())
        let later = WebhookMessageID.random(from: .system, at: Samples.start.advanced(by: .milliseconds(1)))
        #expect(later.rawValue > together[999])
        // Of an act, the same one each time.
        let act = WebhookMessageID(of: EventID(rawValue: "evt_1"))
        #expect(act == WebhookMessageID(of: EventID(rawValue: "evt_1")) && act.rawValue.contains("-8"))
    }
}
