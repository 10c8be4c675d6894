import Keybearer
import Mustache

/// Turns page models into HTML. Every page is a pure function of its model, the product's name, the nonce and the time.
///
/// The templates are embedded in the program and parsed once, at the start. They escape everything that they write;
/// none may write a value unescaped.
struct PageRenderer: Sendable {
    private let library: MustacheLibrary
    private let productName: String
    private let clocks: Clocks

    /// Parses the templates.
    ///
    /// - Parameters:
    ///   - productName: What the pages call the product.
    ///   - clocks: The time that a page says it was made at, so that its script needs no right clock in the browser.
    /// - Throws: The parser's error where a template is malformed.
    init(productName: String = "Keybearer", clocks: Clocks) throws {
        var library = MustacheLibrary()
        for template in Template.allCases {
            try library.register(String(decoding: template.source, as: UTF8.self), named: template.rawValue)
        }
        self.library = library
        self.productName = productName
        self.clocks = clocks
    }

    /// The sign-in page.
    func render(_ page: SignInPage, nonce: String) -> String { render(page, with: .signIn, nonce: nonce) }

    /// The sign-up page, open or closed.
    func render(_ page: SignUpPage, nonce: String) -> String { render(page, with: .signUp, nonce: nonce) }

    /// The page that asks for the password again.
    func render(_ page: ConfirmPage, nonce: String) -> String { render(page, with: .confirm, nonce: nonce) }

    /// The page "API & Webhooks". Holds the key only where the model does.
    func render(_ page: APIKeyPage, nonce: String) -> String { render(page, with: .apiKey, nonce: nonce) }

    /// The question before a key is regenerated.
    func render(_ page: RegeneratePage, nonce: String) -> String { render(page, with: .regenerate, nonce: nonce) }

    /// The page "Account & sessions".
    func render(_ page: AccountPage, nonce: String) -> String { render(page, with: .account, nonce: nonce) }

    /// The page for a request that failed.
    func render(_ page: ErrorPage, nonce: String) -> String { render(page, with: .error, nonce: nonce) }

    /// The page for a browser that keeps no session over plain HTTP. Its style sheet is in it: nothing else is answered there.
    func render(_ page: HTTPSRequiredPage, nonce: String) -> String {
        render(page, with: .httpsRequired, nonce: nonce)
    }

    private func render<Page: Sendable>(_ page: Page, with template: Template, nonce: String) -> String {
        let frame = Frame(
            product: productName, nonce: nonce, stylesheet: DashboardAssets.stylesheetURL,
            script: DashboardAssets.scriptURL, now: clocks.wall().description, page: page)
        // Every template was registered at the start, so there always is one.
        return library.render(frame, withTemplate: template.rawValue) ?? ""
    }
}

/// What every template sees: the page and what belongs to all pages.
///
/// Templates look a missing name up in what surrounds it, so no page model may have an optional with one of these
/// names, and templates write a leading dot before the names of list entries.
private struct Frame<Page: Sendable>: Sendable {
    let product: String
    let nonce: String
    let stylesheet: String
    let script: String
    let now: String
    let page: Page
}

/// The templates by the names under which they use each other.
private enum Template: String, CaseIterable {
    case layout
    case entry
    case dashboard
    case logo
    case notice
    case signIn = "sign-in"
    case signUp = "sign-up"
    case confirm
    case apiKey = "api-key"
    case keyPanel = "key-panel"
    case lockPanel = "lock-panel"
    case regenerate
    case regenerateQuestion = "regenerate-question"
    case account
    case error
    case httpsRequired = "https-required"
    /// The style sheet, for a page that holds it: as a value it would be escaped.
    case dashboardStyle = "dashboard-style"

    /// The template's text, as embedded.
    var source: [UInt8] {
        switch self {
        case .layout: PackageResources.layout_mustache
        case .entry: PackageResources.entry_mustache
        case .dashboard: PackageResources.dashboard_mustache
        case .logo: PackageResources.logo_mustache
        case .notice: PackageResources.notice_mustache
        case .signIn: PackageResources.sign_in_mustache
        case .signUp: PackageResources.sign_up_mustache
        case .confirm: PackageResources.confirm_mustache
        case .apiKey: PackageResources.api_key_mustache
        case .keyPanel: PackageResources.key_panel_mustache
        case .lockPanel: PackageResources.lock_panel_mustache
        case .regenerate: PackageResources.regenerate_mustache
        case .regenerateQuestion: PackageResources.regenerate_question_mustache
        case .account: PackageResources.account_mustache
        case .error: PackageResources.error_mustache
        case .httpsRequired: PackageResources.https_required_mustache
        case .dashboardStyle: DashboardAssets.stylesheet
        }
    }
}
