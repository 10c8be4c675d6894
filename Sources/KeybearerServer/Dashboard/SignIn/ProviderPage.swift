/// A page on the way to the provider, or back from it: `GET /sign-in/oidc` for a browser that comes from another site, and
/// `GET /sign-in/oidc/link`, whose form sends nothing to `POST /sign-in/oidc/link`.
struct ProviderPage: Page, Equatable {
    static let template = Template.provider

    /// What people call the provider.
    let name: String
    /// Where the button leads that begins a sign-in; nil on the page that asks whether to connect an account.
    let path: String?
    /// The address that the provider names; nil where it names none.
    let email: String?
    /// The address of the account that would be connected; nil on the page that begins.
    let account: String?

    /// The page that begins.
    init(name: String, path: String) {
        self.name = name
        self.path = path
        email = nil
        account = nil
    }

    /// The page that connects.
    init(name: String, email: String?, account: String) {
        self.name = name
        path = nil
        self.email = email
        self.account = account
    }
}
