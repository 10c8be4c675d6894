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
    ///   - clocks: The time that a page says it was made at.
    /// - Throws: The parser's error where a template is malformed.
    init(productName: String = "Keybearer", clocks: Clocks) throws {
        var library = MustacheLibrary()
        // The style sheet too, for a page that holds it: as a value it would be escaped.
        let style = Template(name: "stylesheet", text: DashboardAssets.stylesheetText)
        for template in Template.all + [style] {
            try library.register(template.text, named: template.name)
        }
        self.library = library
        self.productName = productName
        self.clocks = clocks
    }

    /// The page's HTML. It holds a secret only where the model does.
    func render<Model: Page>(_ page: Model, nonce: String) -> String {
        let frame = PageFrame(
            product: productName, nonce: nonce, stylesheet: DashboardAssets.stylesheetURL,
            script: DashboardAssets.scriptURL, now: clocks.wall().description, page: page)
        // Every template was registered at the start, so there always is one.
        return library.render(frame, withTemplate: Model.template.name) ?? ""
    }
}
