import Foundation
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``MailTemplates``: one for each kind, plain text, with the product's brand, and nothing that people choose as more than a
/// part of a line.
@Suite struct MailTemplatesTests {
    private func composed(
        _ kind: MailKind, userAgent: String? = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0",
        workspace: String = "Testing", inviter: String = "Ada", product: String = "Acme"
    ) throws -> MailText {
        var brand = Brand()
        brand.productName = try #require(ProductName(product))
        brand.supportURL = SupportURL("https://acme.example/help")
        let templates = try MailTemplates(
            brand: brand, publicURL: try PublicURL(parsing: "https://acme.example/developers"))
        var content = MailContent(
            kind,
            OutgoingMail(
                id: MailID(rawValue: "mail_a1"), kind: kind, userID: nil,
                recipient: EmailAddress(normalised: "ada@example.com"), at: Samples.start, address: Samples.address,
                userAgent: userAgent, nextAttemptAt: nil))
        if [.verifyEmail, .changeEmail, .resetPassword, .invitation].contains(kind) { content.code = "kbm_code" }
        content.linkLife = .seconds(24 * 3_600)
        if kind == .invitation {
            let invitation = Invitation(
                id: InvitationID(rawValue: "inv_a1"), workspaceID: WorkspaceID(rawValue: "ws_a1"),
                email: EmailAddress(normalised: "ada@example.com"), role: .admin, inviterID: UserID(rawValue: "usr_a1"),
                createdAt: Samples.start, expiresAt: Samples.start)
            content.invitation = InvitationRecord(
                invitation, workspaceName: workspace,
                inviter: InvitationRecord.Inviter(
                    name: inviter, email: EmailAddress(normalised: "owner@example.com"), isActive: true, role: .owner))
        }
        return templates.compose(content)
    }

    @Test("Every kind has a subject, the product's brand, and no trace of the template", arguments: MailKind.allCases)
    func kinds(_ kind: MailKind) throws {
        let text = try composed(kind)
        #expect(text.subject.hasPrefix("Acme: ") && text.subject.count > 15 && !text.subject.contains("\n"))
        for part in [text.subject, text.body] {
            #expect(!part.contains("{{") && !part.contains("CONTENT_TYPE"), "\(part)")
        }
        #expect(text.body.contains("--\nAcme\nHelp: https://acme.example/help\n"))
        #expect(!text.body.contains("\n\n\n") && text.body.hasSuffix("\n") && !text.body.hasPrefix("\n"))
        #expect(text.body.contains("&") == false)
    }

    @Test("A notice says when, from where, with which browser, and what to do")
    func notice() throws {
        let text = try composed(.newSignIn)
        #expect(text.subject == "Acme: New sign-in to your account")
        #expect(
            text.body == """
                Somebody signed in to your account ada@example.com at Acme on a device that has not been seen there before.

                Time: 2026-01-01 00:00 UTC
                From: 192.0.2.7
                Browser: Firefox on Linux

                If this was not you, change your password and end the sessions that you don’t know:
                https://acme.example/developers/account

                --
                Acme
                Help: https://acme.example/help

                """)
    }

    @Test("Links lead to the product's place, with their code")
    func links() throws {
        #expect(
            try composed(.verifyEmail).body.contains("\nhttps://acme.example/developers/verify-email?code=kbm_code\n"))
        #expect(
            try composed(.resetPassword).body
                .contains("\nhttps://acme.example/developers/reset-password?code=kbm_code\n"))
        let invitation = try composed(.invitation).body
        #expect(invitation.contains("\nhttps://acme.example/developers/invitations?code=kbm_code\n"))
        #expect(
            invitation.contains("Ada (owner@example.com) invites you to the workspace “Testing” at Acme, as admin."))
        #expect(try composed(.verifyEmail).body.contains("The link works for 24 hours, once."))
    }

    @Test(
        "Names and user agents are a part of one line, and no link",
        arguments: [
            "https://evil.example/login", "evil.example", "x\n\nhttps://evil.example", "mailto:eve@evil.example",
            "\u{202e}elpmaxe.live", "Ada\r\nBcc: eve@example.com", "{{link}} {{{product}}}", "<b>&amp;</b>",
            String(repeating: "long ", count: 50), "\u{0}\u{7}\u{1b}[31m",
        ])
    func hostile(_ hostile: String) throws {
        let plain = try composed(.invitation).body.split(separator: "\n", omittingEmptySubsequences: false).count
        let text = try composed(.invitation, workspace: hostile, inviter: hostile)
        let lines = text.body.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == plain)
        for line in lines where !line.hasPrefix("https://acme.example") && !line.hasPrefix("Help: ") {
            #expect(!line.contains("://") && !line.contains("evil.example") && !line.contains("eve@"), "\(line)")
            #expect(!line.unicodeScalars.contains { $0.properties.generalCategory == .control }, "\(line)")
        }
        #expect(MailFacts.line(hostile).count <= 60)
        let notice = try composed(.newSignIn, userAgent: hostile)
        #expect(notice.body.split(separator: "\n", omittingEmptySubsequences: false).count == 13)
        #expect(!notice.body.contains("evil.example") && !notice.body.contains("eve@"))
    }
}
