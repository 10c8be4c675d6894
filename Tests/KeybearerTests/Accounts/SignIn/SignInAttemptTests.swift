import Crypto
import Foundation
import TestSupport
import Testing

@testable import Keybearer

/// A ``SignInAttempt``: what its cookie keeps, and what is derived from it.
@Suite struct SignInAttemptTests {
    private let vault: KeyVault

    init() throws {
        vault = KeyVault(ring: try MasterKeyRing.generate(from: .seeded(5)))
    }

    private func attempt(
        next: String = "/account?x=1", confirming session: SessionID? = nil, random: RandomSource = .system
    ) -> SignInAttempt {
        SignInAttempt.begin(from: vault, random: random, at: Samples.start, confirming: session, next: next)
    }

    @Test("A cookie is read as it was written, and what is derived from it is the same")
    func cookie() throws {
        for session in [nil, SessionID.random(from: .system)] {
            for next in ["/", "/account?x=1&y=ü", "/" + String(repeating: "a", count: 999)] {
                let made = attempt(next: next, confirming: session)
                let read = try #require(SignInAttempt(parsing: made.cookieValue))
                #expect(read == made && read.next == next && read.confirmed == session && read.begunAt == Samples.start)
                #expect(read.state == made.state && read.nonce == made.nonce && read.codeVerifier == made.codeVerifier)
                #expect(made.cookieValue.utf8.allSatisfy { $0.isASCIILetterOrDigit || "._-".utf8.contains($0) })
                #expect(made.cookieValue.utf8.count <= 2_048)
            }
        }
    }

    @Test("State, nonce and verifier differ, differ for every attempt, and give the token away to nobody")
    func derived() {
        let (one, two) = (attempt(), attempt())
        let all = [one, two].flatMap { [$0.state, $0.nonce, $0.codeVerifier, $0.codeChallenge] }
        #expect(Set(all).count == 8)
        // RFC 7636 §4.1: 43 to 128 unreserved characters.
        #expect(
            all.allSatisfy {
                $0.utf8.count == 43 && $0.utf8.allSatisfy { $0.isASCIILetterOrDigit || $0 == 45 || $0 == 95 }
            })
        let digest = Data(SHA256.hash(data: Data(one.codeVerifier.utf8))).base64EncodedString()
        #expect(
            one.codeChallenge == digest.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: ""))
        #expect("\(one)" == "sign-in attempt" && !String(reflecting: one).contains(one.token))
        #expect(all.allSatisfy { !one.cookieValue.contains($0) })
    }

    @Test("A state belongs to the whole cookie: another path, time or session has another")
    func state() throws {
        let made = attempt()
        #expect(made.has(state: made.state) && !made.has(state: "") && !made.has(state: attempt().state))
        let parts = made.cookieValue.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let others = [
            [parts[0], "1", parts[2], parts[3]], [parts[0], parts[1], "ses_a1", parts[3]],
            [parts[0], parts[1], parts[2], "L2V2aWw"],
        ]
        for other in others {
            let changed = try #require(SignInAttempt(parsing: other.joined(separator: ".")))
            #expect(!changed.has(state: made.state), "\(other)")
        }
    }

    @Test("It lives for ten minutes, and begins no more than two minutes ahead")
    func life() {
        let made = attempt()
        for (seconds, isAlive) in [(-121, false), (-120, true), (0, true), (599, true), (600, false)] {
            #expect(made.isAlive(at: Samples.start.advanced(by: .seconds(seconds))) == isAlive, "\(seconds)")
        }
    }

    @Test("What is no cookie of this kind is none")
    func malformed() {
        let made = attempt()
        let parts = made.cookieValue.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        for text in [
            "", "x", "...", made.token, parts.dropLast().joined(separator: "."), made.cookieValue + ".",
            [parts[0], "-1", "", parts[3]].joined(separator: "."), [parts[0], "1", "", ""].joined(separator: "."),
            [parts[0], "1", "", "ZXZpbA"].joined(separator: "."), [parts[0], "1", "", "!!"].joined(separator: "."),
            "kbl_" + made.cookieValue.dropFirst(4), made.cookieValue + String(repeating: "A", count: 2_048),
        ] {
            #expect(SignInAttempt(parsing: text) == nil, "\(text.prefix(80))")
        }
        #expect(vault.tagKey(of: made.token, kind: .signInAttempt) != nil)
        #expect(vault.tagKey(of: made.token, kind: .portalLink) == nil)
    }
}
