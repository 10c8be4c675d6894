import TestSupport
import Testing

@testable import Keybearer

/// An ``Invitation`` and its ``InvitationCode``.
@Suite struct InvitationTests {
    private static let now = Samples.start

    private static func record(
        role: Role = .member, inviterRole: Role? = .owner, isActive: Bool = true, hasInviter: Bool = true,
        workspace: String? = "Acme", age: Duration = .zero, withdrawn: Bool = false, accepted: Bool = false
    ) -> InvitationRecord {
        let made = now.advanced(by: .zero - age)
        let invitation = Invitation(
            id: InvitationID(rawValue: "inv_1"), workspaceID: WorkspaceID(rawValue: "ws_1"),
            email: EmailAddress(normalised: "ann@x.de"), role: role, inviterID: UserID(rawValue: "usr_1"),
            createdAt: made, expiresAt: made.advanced(by: Invitation.life), withdrawnAt: withdrawn ? now : nil,
            acceptedBy: accepted ? UserID(rawValue: "usr_2") : nil)
        let inviter = InvitationRecord.Inviter(
            name: "Ada", email: EmailAddress(normalised: "ada@x.de"), isActive: isActive, role: inviterRole)
        return InvitationRecord(invitation, workspaceName: workspace, inviter: hasInviter ? inviter : nil)
    }

    @Test("Why it cannot be accepted")
    func ends() {
        let week: Duration = .seconds(7 * 24 * 3600)
        let cases: [(InvitationRecord, InvitationEnd?)] = [
            (Self.record(), nil), (Self.record(inviterRole: .admin), nil),
            (Self.record(role: .owner, inviterRole: .owner), nil),
            (Self.record(age: week - .milliseconds(1)), nil), (Self.record(age: week), .expired),
            (Self.record(withdrawn: true), .withdrawn), (Self.record(accepted: true), .used),
            (Self.record(workspace: nil), .workspaceGone), (Self.record(hasInviter: false), .inviterGone),
            (Self.record(inviterRole: nil), .inviterGone), (Self.record(isActive: false), .inviterGone),
            (Self.record(inviterRole: .member), .inviterMayNot),
            (Self.record(role: .owner, inviterRole: .admin), .inviterMayNot),
        ]
        for (record, end) in cases { #expect(record.end(at: Self.now) == end) }
    }

    @Test("It is for its address in every spelling of case, and for no other")
    func address() throws {
        let invitation = Self.record().invitation
        for text in ["ann@x.de", "Ann@X.de", "ANN@x.DE"] { #expect(invitation.isFor(EmailAddress(normalised: text))) }
        for text in ["anna@x.de", "ann@x.de.com", "ann@y.de"] {
            #expect(!invitation.isFor(EmailAddress(normalised: text)))
        }
    }

    @Test("A code has its own kind, and prints as nothing but it")
    func code() throws {
        let vault = KeyVault(ring: try .generate(from: .system))
        let (code, record) = InvitationCode.mint(from: vault, random: .system)
        #expect(code.characters.hasPrefix("kbv_") && record.digest == code.digest)
        #expect(InvitationCode(parsing: code.characters) == code)
        #expect(InvitationCode(parsing: "kbl_" + code.characters.dropFirst(4)) == nil)
        #expect("\(code)" == "invitation code" && String(reflecting: code) == "invitation code")
        #expect(vault.tagKey(of: "kbl_" + code.characters.dropFirst(4), kind: .portalLink) == nil)
    }
}
