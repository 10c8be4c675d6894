/// A page of the dashboard: a model that holds what the page shows, and the template beside it that writes it.
///
/// A page is a pure function of its model. The model holds no secret that the page must not show. Templates look a
/// missing name up in what surrounds it, so a model has no optional with one of the names of ``PageFrame``, and
/// templates write a leading dot before the names of list entries.
protocol Page: Sendable {
    /// The template in the page's folder: `Template.signIn` is `sign-in.mustache`.
    static var template: Template { get }
    /// Whether the style sheet is in the page itself, because the server returns nothing else at its address.
    static var embedsStylesheet: Bool { get }
}

extension Page {
    static var embedsStylesheet: Bool { false }
}

/// What every template sees: the page and what belongs to all pages.
struct PageFrame<Model: Page>: Sendable {
    /// What the pages call the product.
    let product: String
    /// What stands before every local path: see ``Place``.
    let base: String
    /// The address of the product's mark; nil for the dashboard's own.
    let brandLogo: String?
    /// The colour of the page's icon, as six digits.
    let iconColor: String
    /// The address of the brand's style sheet; nil where there is none.
    let brandStylesheet: String?
    /// Where help is; nil where that is not known.
    let supportURL: String?
    /// Lets the page's one script run, and its style sheet where that is in the page.
    let nonce: String
    /// The style sheet's address.
    let stylesheet: String
    /// The script's address.
    let script: String
    /// When the page was made, RFC 3339 in UTC, so that its script needs no right clock in the browser.
    let now: String
    /// The page's model.
    let page: Model
}
