import Keybearer
import Mustache

/// Turns page models into HTML. Every page is a pure function of its model, the brand, the place, the nonce and the time.
///
/// The templates are embedded in the program and parsed once, at the start. They escape everything that they write;
/// none may write a value unescaped.
struct PageRenderer: Sendable {
    private let library: MustacheLibrary
    private let place: Place
    private let brand: Brand
    private let assets: BrandAssets
    private let clocks: Clocks

    /// Parses the templates.
    ///
    /// - Parameters:
    ///   - place: Where links and forms lead.
    ///   - brand: How the pages look.
    ///   - clocks: The time that a page says it was made at.
    /// - Throws: The parser's error where a template is malformed.
    init(place: Place = Place(), brand: Brand = Brand(), clocks: Clocks) throws {
        var library = try Self.templates.get()
        try library.register(brand.stylesheet ?? "", named: "brand-stylesheet")
        self.library = library
        self.place = place
        self.brand = brand
        assets = BrandAssets(brand)
        self.clocks = clocks
    }

    /// The templates that are the same for every brand, parsed once.
    private static let templates = Result {
        var library = MustacheLibrary()
        // The style sheet too, for a page that holds it: as a value it would be escaped.
        let style = Template(name: "stylesheet", text: DashboardAssets.stylesheetText)
        for template in Template.all.filter({ !$0.isOfMail }) + [style] {
            try library.register(template.text, named: template.name)
        }
        return library
    }

    /// The page's HTML. It holds a secret only where the model does.
    func render<Model: Page>(_ page: Model, nonce: String) -> String {
        let frame = PageFrame(
            product: brand.productName.description, base: place.base,
            // A page with the style sheet in it can load no picture either.
            brandLogo: Model.embedsStylesheet ? nil : assets.logoURL.map(place.path),
            iconColor: brand.accentColor?.digits ?? "0b6357", brandStylesheet: assets.stylesheetURL.map(place.path),
            supportURL: brand.supportURL?.description, nonce: nonce,
            stylesheet: place.path(DashboardAssets.stylesheetURL), script: place.path(DashboardAssets.scriptURL),
            now: clocks.wall().description, page: page)
        // Every template was registered at the start, so there always is one.
        return library.render(frame, withTemplate: Model.template.name) ?? ""
    }
}
