import HTTPTypes
import Hummingbird
import Keybearer
import NIOCore

/// What an invite link leads to. Looking changes nothing; the button accepts.
struct InvitationHandlers: Sendable {
    let invitations: InvitationService
    let isSignUpOpen: Bool
    let pages: DashboardResponder

    /// The local path of a link.
    static func path(of code: InvitationCode) -> String { "/invitations?code=\(code.characters)" }

    /// `GET /invitations?code=…`
    @Sendable func page(_ context: RequestContext) async throws -> Response {
        guard let code = context.query?["code"].flatMap({ InvitationCode(parsing: $0) }),
            let (record, end) = try await invitations.find(code)
        else { return show(.unknown, .notFound) }
        let account = try await pages.person(context)?.account
        if let account, record.workspaceName != nil, Self.isMember(account, record) {
            let invitation = record.invitation
            if invitation.acceptedBy == account.user.id || invitation.isFor(account.user.email) {
                return show(.member(of: record.invitation.workspaceID))
            }
        }
        if let end { return show(InvitationPage(end, record, code: code), .gone) }
        return show(InvitationPage(record, code: code, reader: reader(account, record.invitation)))
    }

    /// `POST /invitations/accept`
    @Sendable func accept(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        guard let code = try context.form()["code"].flatMap({ InvitationCode(parsing: $0) }) else {
            return show(.unknown, .notFound)
        }
        let (outcome, workspaceID) = try await invitations.accept(
            code, as: signedIn.account.user.id, by: signedIn.authority(from: context.client))
        switch (outcome, workspaceID) {
        case (.joined, let id?): return pages.redirect(to: "/workspaces/\(id)/team?joined=1")
        case (.alreadyMember, let id?): return pages.redirect(to: "/workspaces/\(id)/team?already=1")
        case (.ended(let end), _):
            guard let record = try await invitations.find(code)?.record else { return show(.unknown, .notFound) }
            return show(InvitationPage(end, record, code: code), .gone)
        case (.wrongAddress, _): return pages.redirect(to: Self.path(of: code))
        default: return show(.unknown, .notFound)
        }
    }

    /// `POST /invitations/ask`: whoever has the link of an invitation asks for another one.
    @Sendable func requestAnother(_ context: RequestContext) async throws -> Response {
        let email = try await pages.person(context)?.account.user.email
        guard let code = try context.form()["code"].flatMap({ InvitationCode(parsing: $0) }),
            let isNew = try await invitations.requestAnother(code, for: email, from: context.client)
        else { return show(.unknown, .notFound) }
        return show(.asked(isNew: isNew))
    }

    private func reader(_ account: Account?, _ invitation: Invitation) -> InvitationPage.Reader {
        if let account {
            return .person(
                email: account.user.email.rawValue, isMeant: invitation.isFor(account.user.email), isMember: false)
        }
        return .nobody(isSignUpOpen: isSignUpOpen)
    }

    private static func isMember(_ account: Account, _ record: InvitationRecord) -> Bool {
        account.workspaces.contains { $0.workspace.id == record.invitation.workspaceID }
    }

    /// The code is in the page's address: no other site learns it.
    private func show(_ page: InvitationPage, _ status: HTTPResponse.Status = .ok) -> Response {
        var response = pages.show(page, status)
        response.headers[HeaderName.referrerPolicy] = "strict-origin"
        return response
    }
}
