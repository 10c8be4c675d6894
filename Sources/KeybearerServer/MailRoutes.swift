import HTTPTypes

extension Routes {
    /// What links in mails lead to, and what sends them.
    static func mailPages(_ links: MailLinkHandlers, _ account: AccountPageHandlers) -> [Route] {
        [
            .anyone(.get, verifyEmail, links.verifyPage),
            .anyone(.post, verifyEmail, links.useLink),
            .anyone(.get, forgotPassword, links.forgotPage),
            .anyone(.post, forgotPassword, links.forgot),
            .anyone(.get, resetPassword, links.resetPage),
            .anyone(.post, resetPassword, links.reset),
            .session(.post, "/account/email", account.changeEmail),
            .session(.post, confirmEmail, links.confirm),
            .session(.post, "/account/email/verify", account.askForVerification),
        ]
    }

    /// Where an address is verified.
    static let verifyEmail = "/verify-email"
    /// The form behind a link that verifies the account's own address.
    static let confirmEmail = "/account/email/confirm"
    /// Where somebody asks for a link that resets the password.
    static let forgotPassword = "/forgot-password"
    /// Where such a link leads.
    static let resetPassword = "/reset-password"
}
