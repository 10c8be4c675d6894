import Keybearer

/// The page behind an invite link: `GET /invitations`. It changes nothing, so a mail scanner or a preview uses nothing up;
/// its button sends `POST /invitations/accept`. Where the link leads nowhere, it says why, who invited, and how to get
/// another one.
struct InvitationPage: Page, Equatable {
    static let template = Template.invitation

    /// The button that accepts.
    struct Accept: Sendable, Equatable {
        /// Sent back by the form. It is in the page's address already.
        let code: String
        /// Who joins.
        let email: String
    }

    /// A way on.
    struct Way: Sendable, Equatable {
        let title: String
        let path: String
    }

    /// What the page is about, in a few words.
    let title: String
    /// What to know.
    let paragraphs: [String]
    /// The button that accepts; nil where nobody can who is signed in.
    var accept: Accept?
    /// Where to go on; nil for nowhere.
    var enter: Way?
    /// Where else; nil for nowhere.
    var instead: Way?
    /// The path to come back to behind a sign-out; nil where that does not help.
    var signOut: String?
    /// The code with which another invitation is asked for; nil where there is nobody to ask.
    var request: String?

    /// Who opens the link.
    enum Reader: Sendable, Equatable {
        /// Nobody who is signed in; whether an account can be made. Whether the address has one is not said: whoever has
        /// the link may have invited the address to find that out.
        case nobody(isSignUpOpen: Bool)
        /// Somebody who is signed in.
        case person(email: String, isMeant: Bool, isMember: Bool)
    }

    /// The page of a link that still leads somewhere.
    init(_ record: InvitationRecord, code: InvitationCode, reader: Reader) {
        let invitation = record.invitation
        let workspace = record.workspaceName ?? ""
        let link = InvitationHandlers.path(of: code)
        let next = "?next=" + DashboardResponder.escape(link)
        let invited =
            "\(Self.inviter(record)) invites \(invitation.email) to the workspace “\(workspace)” as "
            + "\(invitation.role.displayName)."
        switch reader {
        case .person(_, _, true):
            self = .member(of: invitation.workspaceID)
            return
        case .person(let email, true, false):
            title = "Join “\(workspace)”"
            paragraphs = [invited]
            accept = Accept(code: code.characters, email: email)
        case .person(let email, false, false):
            title = "This invitation is for somebody else"
            paragraphs = [invited, "You are signed in as \(email). Only an account with the invited address can join."]
            signOut = link
            request = code.characters
        case .nobody(let isSignUpOpen):
            title = "Join “\(workspace)”"
            enter = Way(title: "Sign in", path: "/sign-in" + next)
            if isSignUpOpen {
                paragraphs = [invited, "Sign in with this address, or make an account with it. Then you can join."]
                let email = DashboardResponder.escape(invitation.email.rawValue)
                instead = Way(title: "Create an account", path: "/sign-up\(next)&email=\(email)")
            } else {
                paragraphs = [
                    invited,
                    "Sign in with this address. Then you can join. If it has no account yet, ask the operator of this "
                        + "service for one: nobody can make one here.",
                ]
            }
        }
    }

    /// The page of a link that leads nowhere any more.
    init(_ end: InvitationEnd, _ record: InvitationRecord, code: InvitationCode) {
        let inviter = Self.inviter(record)
        let workspace = record.workspaceName.map { "the workspace “\($0)”" } ?? "a workspace"
        let invited = "\(inviter) had invited to \(workspace)."
        let reason: String
        (title, reason) =
            switch end {
            case .used: ("This invitation was used", "It works once, and somebody joined with it. \(invited)")
            case .withdrawn:
                ("This invitation was withdrawn", "It was withdrawn, or a newer link took its place. \(invited)")
            case .expired: ("This invitation has expired", "It worked for 7 days. \(invited)")
            case .workspaceGone:
                (
                    "This workspace is gone",
                    "The workspace was deleted. \(inviter) had invited to it, and nobody can invite again."
                )
            case .inviterGone:
                (
                    "This invitation has ended",
                    "\(inviter), who invited to \(workspace), is no member there any more, or was disabled."
                )
            case .inviterMayNot:
                (
                    "This invitation has ended",
                    "\(inviter), who invited to \(workspace), may not give this role any more."
                )
            }
        guard end != .workspaceGone else {
            paragraphs = [reason]
            return
        }
        paragraphs = [reason, "The Owners and Admins of the workspace can invite you again."]
        request = code.characters
    }

    private init(title: String, paragraphs: [String], enter: Way? = nil) {
        self.title = title
        self.paragraphs = paragraphs
        self.enter = enter
    }

    /// The page of a link that nobody made here, or that was removed long ago.
    static let unknown = InvitationPage(
        title: "There is no such invitation",
        paragraphs: ["Part of the link may be missing, or it ended long ago. Ask whoever sent it for a new one."])

    /// The page for somebody who is in.
    static func member(of id: WorkspaceID) -> InvitationPage {
        InvitationPage(
            title: "You are already in", paragraphs: ["You are a member of this workspace."],
            enter: Way(title: "Open the workspace", path: "/workspaces/\(id)/api-webhooks"))
    }

    /// The page behind the request for another one.
    ///
    /// - Parameter isNew: false where the same was asked a short time ago.
    static func asked(isNew: Bool) -> InvitationPage {
        InvitationPage(
            title: isNew ? "You asked for a new invite" : "You asked a short time ago",
            paragraphs: [
                "The Owners and Admins see your request on the workspace’s page “Team”. They send you a new link."
            ])
    }

    private static func inviter(_ record: InvitationRecord) -> String {
        record.inviter.map { "\($0.name) (\($0.email))" } ?? "Somebody whose account is gone"
    }
}
