package import Keybearer

extension KeybearerError {
    /// A stored value that this version does not understand: better no answer than a wrong one.
    package static func unreadable(_ what: String) -> KeybearerError {
        KeybearerError(.internalError, "The store failed.", cause: UnreadableValue(what: what))
    }

    /// Whether a rule refused it, and not a store that failed: what was asked for alone is at fault.
    package var isRefusal: Bool {
        switch code {
        case .badRequest, .forbidden, .notFound, .conflict, .validationFailed, .featureLocked: true
        default: false
        }
    }

    package static let noSuchAccount = KeybearerError(.notFound, "There is no such account.")
    package static let noSuchWorkspace = KeybearerError(.notFound, "There is no such workspace.")
    package static let noSuchPlan = KeybearerError(.notFound, "There is no such plan.")
    package static let noSuchInvitation = KeybearerError(.notFound, "There is no such invitation.")
    package static func tooManyInvitations(limit: Int) -> KeybearerError {
        KeybearerError(
            .conflict,
            "At most \(limit) invitations of a workspace can wait at the same time. Withdraw one, or wait until one is "
                + "accepted or expires.")
    }
    package static let noSuchMember = KeybearerError(.notFound, "There is no such member.")
    package static func tooManyWorkspaces(limit: Int) -> KeybearerError {
        KeybearerError(
            .conflict,
            "An account can own at most \(limit) workspaces. Delete one, or make somebody else its Owner and leave it.")
    }
    package static let externalIDTaken = KeybearerError(.conflict, "This external id is another's already.")
    package static let keyTaken = KeybearerError(
        .conflict, "This key cannot be imported: it is an account's here, or was.")
    package static let noSuchOperatorToken = KeybearerError(.notFound, "There is no such operator token.")
    package static func planInUse(_ id: PlanID, workspaces: Int) -> KeybearerError {
        KeybearerError(
            .conflict,
            "\(workspaces) \(workspaces == 1 ? "workspace is" : "workspaces are") on the plan '\(id)'. Move them to another "
                + "plan first.")
    }
    package static func firstPlan(_ id: PlanID) -> KeybearerError {
        KeybearerError(
            .conflict,
            "New workspaces start on the plan '\(id)', the first of the catalogue. Give another plan a lower position first."
        )
    }
    /// The operator has disabled the account: nobody else enables it.
    package static let disabledByOperator = KeybearerError(
        .forbidden, "The operator of this service has disabled this service account, and can enable it.")
    /// An account that is to be taken from whoever made it owns what others are in.
    package static let sharedByOwner = KeybearerError(
        .conflict,
        "Other people or service accounts are in a workspace that this account owns: whoever made it could go on through "
            + "them. Remove them first, or delete the account.")
    package static let lastOwner = KeybearerError(
        .conflict, "A workspace with members needs an Owner. Name another one first.")
    /// Of the account that is being deleted.
    package static func lastOwner(of workspaces: [(id: WorkspaceID, name: String)]) -> KeybearerError {
        let most = 10
        let named = workspaces.prefix(most).map { "\($0.id) ('\($0.name)')" }.joined(separator: ", ")
        let more = workspaces.count > most ? " and \(workspaces.count - most) more" : ""
        return KeybearerError(
            .conflict,
            "The account is the last Owner of workspaces with other members: \(named)\(more). Say who becomes their Owner "
                + "(transferTo), or that they are deleted too (deleteWorkspaces).")
    }
    package static let noSuccessor = KeybearerError.validation([
        "transferTo": "It must be another account, which is there and not disabled."
    ])
    package static let masterKeyUnknown = KeybearerError(
        .unavailable,
        "The master key at hand is not one of this database's. Nothing was changed; run 'keybearer doctor'.")
    package static let stillSealed = KeybearerError(
        .conflict, "Keys are still sealed under a retired master key. Run 'keybearer master-key rotate' again.")
}

/// Names the column whose value could not be read.
private struct UnreadableValue: Error, CustomStringConvertible {
    let what: String
    var description: String { "unreadable value: \(what)" }
}
