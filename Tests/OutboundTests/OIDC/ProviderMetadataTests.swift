import Foundation
import Keybearer
import Testing

@testable import KeybearerOutbound

/// ``ProviderMetadata`` and each ``ProviderURL`` in it.
@Suite struct ProviderMetadataTests {
    private static let good: [String: any Sendable] = [
        "issuer": "https://login.example/tenant", "authorization_endpoint": "https://login.example/a?tenant=1",
        "token_endpoint": "https://tokens.example/t", "jwks_uri": "https://keys.example/k",
        "userinfo_endpoint": "https://login.example/u",
    ]

    private func metadata(
        _ changes: [String: (any Sendable)?] = [:], of issuer: String = "https://login.example/tenant"
    ) throws -> ProviderMetadata {
        var members = Self.good
        for (name, value) in changes { members[name] = value }
        let body = try JSONSerialization.data(withJSONObject: members)
        return try ProviderMetadata(parsing: [UInt8](body), of: ProviderURL(parsing: issuer))
    }

    @Test("The document of the issuer itself, with endpoints over HTTPS, is taken")
    func accepted() throws {
        let found = try metadata()
        #expect(found.tokenEndpoint.text == "https://tokens.example/t" && found.authentication == .basic)
        #expect(found.userInfoEndpoint?.text == "https://login.example/u")
        #expect(try metadata(["userinfo_endpoint": nil]).userInfoEndpoint == nil)
        #expect(try metadata(["token_endpoint_auth_methods_supported": ["client_secret_post"]]).authentication == .post)
        #expect(
            try metadata(["token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"]])
                .authentication == .basic)
    }

    @Test("Another issuer's document, plain HTTP, and what is no document, are refused")
    func refused() throws {
        let changes: [[String: (any Sendable)?]] = [
            ["issuer": "https://login.example/tenant/"], ["issuer": "https://login.example"], ["issuer": nil],
            ["issuer": 7], ["authorization_endpoint": nil], ["token_endpoint": "http://tokens.example/t"],
            ["token_endpoint": "http://localhost/t"], ["jwks_uri": "file:///etc/passwd"], ["jwks_uri": ""],
            ["userinfo_endpoint": "http://login.example/u"], ["authorization_endpoint": "javascript:alert(1)"],
            ["authorization_endpoint": "https://login.example/a\r\nX: y"],
        ]
        for change in changes { #expect(throws: IdentityProviderFailure.self, "\(change)") { try metadata(change) } }
        let issuer = try ProviderURL(parsing: "https://login.example/tenant")
        for text in ["", "[]", "no JSON"] {
            #expect(throws: IdentityProviderFailure.self) {
                try ProviderMetadata(parsing: Array(text.utf8), of: issuer)
            }
        }
    }

    @Test("A provider on this machine may speak plain HTTP, to this machine alone")
    func loopback() throws {
        let local: [String: (any Sendable)?] = [
            "issuer": "http://127.0.0.1:5000", "authorization_endpoint": "http://127.0.0.1:5000/a",
            "token_endpoint": "http://localhost:5000/t", "jwks_uri": "http://[::1]:5000/k", "userinfo_endpoint": nil,
        ]
        _ = try metadata(local, of: "http://127.0.0.1:5000")
        let elsewhere = local.merging(["token_endpoint": "http://login.example/t"]) { $1 }
        #expect(throws: IdentityProviderFailure.self) { try metadata(elsewhere, of: "http://127.0.0.1:5000") }
    }

    @Test("An issuer is an https URL without query and fragment, and its document is below it")
    func issuers() throws {
        for (issuer, discovery) in [
            ("https://login.example", "https://login.example/.well-known/openid-configuration"),
            ("https://login.example/", "https://login.example/.well-known/openid-configuration"),
            ("https://login.example:8443/a/b", "https://login.example:8443/a/b/.well-known/openid-configuration"),
        ] { #expect(try ProviderURL(parsing: issuer).discoveryURL == discovery) }
        for text in [
            "", "login.example", "http://login.example", "https://login.example?x=1", "https://login.example/#a",
            "https://user@login.example", "https://", "https://login.example/ä", "https://login.example/a b",
            "http://localhost.evil.example", "http://127.0.0.1.evil.example", "ftp://login.example",
            "https://login.example/" + String(repeating: "a", count: 2_048),
        ] { #expect(throws: Origin.Problem.self, "\(text.prefix(60))") { try ProviderURL(parsing: text) } }
    }
}
