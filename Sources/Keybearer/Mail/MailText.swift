/// What a mail says. Plain text, the same for everybody but for product, time, place and links.
struct MailText: Sendable, Hashable {
    let subject: String
    let body: String

    init(_ mail: OutgoingMail, _ settings: MailSettings) {
        let product = settings.sender.name
        let (what, after) = Self.words(mail.kind)
        subject = "\(product): \(what)"
        let time = mail.at.description
        var lines = ["\(what) for your account \(mail.recipient) at \(product).", ""]
        lines.append("When: \(time.prefix(10)) \(time.dropFirst(11).prefix(8)) UTC")
        if let address = mail.address, address != .localSocket { lines.append("From: \(address.displayName)") }
        lines += ["", after, ""]
        let account = settings.dashboardURL.map { ": \($0)/account" } ?? "."
        lines.append("If this was not you, sign in, change your password and end the sessions that you don’t know\(account)")
        if let help = settings.supportURL { lines.append("Help: \(help)") }
        body = lines.joined(separator: "\n") + "\n"
    }

    private static func words(_ kind: MailKind) -> (what: String, after: String) {
        switch kind {
        case .keyRegenerated: ("The API key was regenerated", "The old key no longer works.")
        case .keyRevoked: ("The API key was revoked", "It no longer works. A new key is in the dashboard.")
        case .passwordChanged: ("The password was changed", "Other sessions have ended.")
        case .secondFactorAdded: ("Two-step sign-in was turned on", "Signing in now takes a code of your app.")
        case .secondFactorRemoved: ("Two-step sign-in was turned off", "The password alone signs in.")
        case .recoveryCodesReplaced: ("New recovery codes were made", "The old ones no longer work.")
        }
    }
}
