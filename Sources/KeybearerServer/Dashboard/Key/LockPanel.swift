import Keybearer

/// What stands over the key's controls where the workspace's plan lacks the feature. It never holds a key.
struct LockPanel: Sendable, Equatable {
    /// What people call the workspace's plan.
    let planName: String
    /// Whether the reader is an Owner and is offered the upgrades.
    let isOwner: Bool
    /// For an Owner: the plans with the feature, in the catalogue's order.
    let upgrades: [UpgradeOption]
    /// For an Owner: whether some plan has the feature at all.
    let hasUpgrades: Bool
    /// For everyone else: whom to ask.
    let owners: [OwnerContact]
    /// For everyone else: whether there is somebody to ask.
    let hasOwners: Bool

    /// What an Owner sees.
    init(planName: String, upgrades: [UpgradeOption]) {
        self.planName = planName
        isOwner = true
        self.upgrades = upgrades
        hasUpgrades = !upgrades.isEmpty
        owners = []
        hasOwners = false
    }

    /// What everyone else sees.
    init(planName: String, owners: [OwnerContact]) {
        self.planName = planName
        isOwner = false
        upgrades = []
        hasUpgrades = false
        self.owners = owners
        hasOwners = !owners.isEmpty
    }
}

/// One plan that would unlock the page, and the one way to it.
struct UpgradeOption: Sendable, Equatable {
    /// What people call the plan.
    let planName: String
    /// The plan's id, sent by the form that switches.
    let planID: String
    /// Whether a form on the page switches the plan.
    let canSwitch: Bool
    /// The product's own page for the upgrade; nil where the form or the operator does it.
    let billingURL: String?
    /// Whether only the operator can move the workspace.
    let needsOperator: Bool

    /// Chooses the way: the form where switching is allowed, else the billing page, else the operator.
    init(planName: String, planID: String, canSwitchPlan: Bool, billingURL: BillingURL?) {
        self.planName = planName
        self.planID = planID
        canSwitch = canSwitchPlan
        self.billingURL = canSwitchPlan ? nil : billingURL?.description
        needsOperator = !canSwitchPlan && billingURL == nil
    }
}

/// An Owner whom a member can ask.
struct OwnerContact: Sendable, Equatable {
    /// The Owner's name.
    let name: String
    /// The Owner's e-mail address.
    let email: String

    /// Puts a contact together.
    init(name: String, email: String) {
        self.name = name
        self.email = email
    }
}
