import Foundation
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// One way to ask, and what has to come of it.
private struct Case: Sendable {
    let name: String
    let headers: [(String, String)]
    let status: Int
    /// Whether a token was sent: only then the challenge says `invalid_token`.
    var sentToken = true
}

/// Authentication input, on every listener and protocol: status, envelope and challenge of each ``Refusal``.
@Suite(.serialized)
struct AuthenticationTableTests {
    @Test("Every refusal has its status, envelope and challenge", arguments: Wire.allCases)
    func table(wire: Wire) async throws {
        let certificate = try ServerFixture.certificate()
        let fixture = try ServerFixture(
            tls: wire.isTLS ? (certificate.certificateFile, certificate.keyFile) : nil)
        let cases = try await Self.cases(fixture, wire: wire)
        let (_, key) = try await fixture.account("ok@example.com")
        try await fixture.listening { client in
            for scheme in ["Bearer \(key)", "bearer \(key)", "BEARER \(key)", "Bearer  \(key)", "bEaReR     \(key)"] {
                let response = try await client.send(WireRequest(headers: [("Authorization", scheme)]), over: wire)
                #expect(response.status == 200, "\(scheme.prefix(10)): \(response.text)")
                #expect(response.values("www-authenticate").isEmpty)
            }
            var bodies: Set<String> = []
            for one in cases {
                let response: WireResponse
                do {
                    // Until the client has acknowledged the server's settings, the library's own limit ends a
                    // connection.
                    response =
                        wire == .http2 && one.status == 400
                        ? try await client.sendHTTP2(
                            WireRequest(headers: one.headers),
                            after: WireRequest(headers: [("Authorization", "Bearer \(key)")]))
                        : try await client.send(WireRequest(headers: one.headers), over: wire)
                } catch {
                    Issue.record("\(one.name) got no answer: \(error)")
                    continue
                }
                #expect(response.status == one.status, "\(one.name) gave \(response.status)")
                let body = try object(response.text)
                #expect(body["ok"] as? Bool == false, "\(one.name)")
                let requestID = try #require(body["requestId"] as? String, "\(one.name)")
                #expect(response.values("x-request-id") == [requestID], "\(one.name)")
                #expect(response.values("cache-control") == ["no-store"], "\(one.name)")
                guard one.status == 401 else {
                    #expect(body["error"] as? String == "BAD_REQUEST", "\(one.name)")
                    continue
                }
                #expect(body["error"] as? String == "UNAUTHORIZED", "\(one.name)")
                let challenge =
                    one.sentToken ? #"Bearer realm="Keybearer", error="invalid_token""# : #"Bearer realm="Keybearer""#
                #expect(response.values("www-authenticate") == [challenge], "\(one.name)")
                bodies.insert(response.text.replacing(requestID, with: ""))
            }
            #expect(bodies.count == 1, "all 401 bodies are alike but for the request id")
        }
    }

    private static func cases(_ fixture: ServerFixture, wire: Wire) async throws -> [Case] {
        let (_, key) = try await fixture.account("first@example.com")
        let (_, second) = try await fixture.account("second@example.com")
        var cases = malformed(key, second)
        // The client of the tests cannot continue a header block over frames. What it can send in one frame, and what
        // comes to 45 KB all the same, is one field many times over: compressed, each repetition takes a byte. More
        // than twice the limit would end the connection.
        let filler = (0..<12).map { _ in ("x-filler", String(repeating: "a", count: 3_900)) }
        let bearer = ("Authorization", "Bearer " + (wire == .http2 ? key : String(repeating: "a", count: 80 * 1_024)))
        cases.append(Case(name: "too many bytes", headers: [bearer] + (wire == .http2 ? filler : []), status: 400))
        cases += changedCharacters(key)
        cases += try await endedKeys(fixture)
        return cases
    }

    private static func malformed(_ key: String, _ second: String) -> [Case] {
        func one(_ name: String, _ value: String, _ status: Int = 401, sentToken: Bool = true) -> Case {
            Case(name: name, headers: [("Authorization", value)], status: status, sentToken: sentToken)
        }
        return [
            Case(name: "none", headers: [], status: 401, sentToken: false),
            one("empty", "", sentToken: false),
            one("Basic", "Basic YWRhOnNlY3JldA==", sentToken: false),
            one("scheme alone", "Bearer", sentToken: false),
            one("no space", "Bearer\(key)"),
            one("another scheme", "Bearerx \(key)"),
            one("a tab", "Bearer\t\(key)"),
            one("trailing text", "Bearer \(key) x"),
            one("trailing comma", "Bearer \(key),"),
            one("a comma-joined pair", "Bearer \(key), Bearer \(second)"),
            one("a quoted key", "Bearer \"\(key)\""),
            one("non-ASCII", "Bearer \(key.dropLast())é"),
            one("non-ASCII behind", "Bearer \(key)é"),
            one("two keys in one", "Bearer \(key)\(second)"),
            one("the key alone", key, sentToken: false),
            Case(
                name: "two headers",
                headers: [("Authorization", "Bearer \(key)"), ("Authorization", "Bearer \(second)")],
                status: 401),
            Case(
                name: "the same header twice",
                headers: [("Authorization", "Bearer \(key)"), ("authorization", "Bearer \(key)")], status: 401),
            Case(name: "another header", headers: [("X-Api-Key", key)], status: 401, sentToken: false),
            one("NUL", "Bearer \(key)\u{0}", 400),
            one("a control byte behind", "Bearer \(key)\u{1}", 400),
            one("a control byte inside", "Bearer \u{7f}\(key)", 400),
            Case(
                name: "1,000 headers",
                headers: [("Authorization", "Bearer \(key)")] + (0..<1_000).map { ("x-filler-\($0)", "1") }, status: 400
            ),
        ]
    }

    /// A key with one character changed in each of the 38 places, and with the checksum fixed for the first 32.
    private static func changedCharacters(_ key: String) -> [Case] {
        let bytes = Array(key.utf8)
        return (4..<42).flatMap { place -> [Case] in
            var changed = bytes
            changed[place] = changed[place] == UInt8(ascii: "a") ? UInt8(ascii: "b") : UInt8(ascii: "a")
            var mended = changed
            mended.replaceSubrange(36..., with: SecretKey.checksumCharacters(CRC32.checksum(changed[4..<36])))
            func bearer(_ bytes: [UInt8]) -> [(String, String)] {
                [("Authorization", "Bearer " + String(decoding: bytes, as: UTF8.self))]
            }
            let plain = Case(name: "character \(place) changed", headers: bearer(changed), status: 401)
            return place < 36
                ? [plain, Case(name: "character \(place) mended", headers: bearer(mended), status: 401)] : [plain]
        }
    }

    /// Keys of another deployment, of a deleted and a disabled account, and a regenerated one.
    private static func endedKeys(_ fixture: ServerFixture) async throws -> [Case] {
        let vault = KeyVault(ring: try .generate(from: .system))
        let foreign = try vault.issue(prefix: .standard, random: .system).characters
        let (deleted, deletedKey) = try await fixture.account("deleted@example.com")
        try await fixture.services.accounts.delete(deleted.user.id, by: .commandLine)
        let (disabled, disabledKey) = try await fixture.account("disabled@example.com")
        try await fixture.services.accounts.setStatus(.disabled, of: disabled.user.id, by: .commandLine)
        let (regenerated, oldKey) = try await fixture.account("regenerated@example.com")
        _ = try await fixture.services.keys.regenerate(regenerated.user.id, idempotencyKey: nil, by: .commandLine)
        let ended = [
            ("of another deployment", foreign), ("deleted", deletedKey), ("disabled", disabledKey),
            ("regenerated", oldKey),
        ]
        return ended.map { Case(name: $0, headers: [("Authorization", "Bearer \($1)")], status: 401) }
    }
}
