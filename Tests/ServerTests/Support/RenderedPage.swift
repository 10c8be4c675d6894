import Foundation
import TestSupport

@testable import KeybearerServer

/// A ``Page`` of the ``PageRenderer`` as a test reads it: of a fixed model, without a server, at ``Samples/start``.
struct RenderedPage {
    /// The page's HTML.
    let html: String

    /// The nonce of every page rendered here.
    static let nonce = "nOnceOfThePage"

    /// A value as somebody hostile types it; it looks like markup and like a template.
    static let hostile = #""><script>alert('1')</script>&amp;{{product}}"#

    /// Renders a page.
    init(_ page: some Page, at place: Place = Place(), brand: Brand = Brand()) throws {
        html = try PageRenderer(place: place, brand: brand, clocks: TestClock().clocks)
            .render(page, nonce: Self.nonce)
    }

    /// The title of the page.
    var title: String { Self.text(of: between("<title>", "</title>")) }

    /// What `<main>` says: without tags, with one space where there is white space.
    var text: String { Self.text(of: between("<main", "</main>").drop { $0 != ">" }.dropFirst()) }

    /// What the page says before `<main>`: workspaces, menu, who is signed in.
    var header: String { Self.text(of: between("<body>", "<main")) }

    /// The opening tags with a name, in the order of the page.
    func elements(_ name: String) -> [Element] { Element.all(in: html).filter { $0.name == name } }

    /// Whether there is an element with a name and with these attributes, among others.
    func has(_ name: String, _ attributes: [String: String]) -> Bool {
        elements(name).contains { element in attributes.allSatisfy { element[$0.key] == $0.value } }
    }

    /// The element with an id.
    func element(id: String) -> Element? { Element.all(in: html).first { $0["id"] == id } }

    /// The page's forms, in its order.
    var forms: [Form] {
        html.matches(of: /(?s)<form([^>]*)>(.*?)<\/form>/).map { match in
            let form = Element(name: "form", attributes: match.1)
            let inputs = Element.all(in: String(match.2)).filter { $0.name == "input" && $0["name"] != nil }
            return Form(
                action: form["action"] ?? "", method: form["method"] ?? "",
                fields: Dictionary(inputs.map { ($0["name"] ?? "", $0["value"] ?? "") }) { first, _ in first },
                types: Dictionary(inputs.map { ($0["name"] ?? "", $0["type"] ?? "") }) { first, _ in first },
                buttons: Self.text(of: match.2))
        }
    }

    /// The form that goes to a path.
    func form(to path: String) -> Form? { forms.first { $0.action == path } }

    private func between(_ start: String, _ end: String) -> Substring {
        guard let first = html.range(of: start),
            let last = html.range(of: end, range: first.upperBound..<html.endIndex)
        else { return "" }
        return html[first.upperBound..<last.lowerBound]
    }

    /// Markup without its tags.
    private static func text(of markup: some StringProtocol) -> String {
        let plain = String(markup).replacing(/<[^>]*>/, with: " ")
        return unescape(plain).split(whereSeparator: \.isWhitespace).joined(separator: " ")
            .replacing(#/ ([.,;:…])/#) { String($0.1) }
    }

    /// The characters behind the entities that pages use.
    static func unescape(_ text: String) -> String {
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
            .reduce(text) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
    }

    /// A form: where it goes and what it sends.
    struct Form {
        let action: String
        let method: String
        /// The values by the fields' names.
        let fields: [String: String]
        /// The inputs' types by the fields' names.
        let types: [String: String]
        /// What the form says, its button above all.
        let buttons: String
    }

    /// An opening tag.
    struct Element {
        let name: String
        private let attributes: [String: String]

        /// Reads the attributes of a tag.
        init(name: String, attributes: some StringProtocol) {
            self.name = name
            let found = String(attributes).matches(of: /([a-z0-9A-Z-]+)(?:="([^"]*)")?/)
            self.attributes = Dictionary(found.map { (String($0.1), RenderedPage.unescape(String($0.2 ?? ""))) }) {
                first, _ in first
            }
        }

        /// The value of an attribute; empty for one without a value, nil for none.
        subscript(attribute: String) -> String? { attributes[attribute] }

        /// The opening tags in some markup.
        static func all(in markup: String) -> [Element] {
            markup.matches(of: /<([a-z0-9]+)((?:\s[^>]*)?)>/).map { Element(name: String($0.1), attributes: $0.2) }
        }
    }
}

extension RenderedPage {
    /// What is wrong with the page as markup: tags that do not nest, ids that stand twice or nowhere, inputs without a
    /// label, and scripts besides the one with the nonce.
    var problems: [String] { nesting + ids + labels + scripts }

    private var nesting: [String] {
        let voids: Set = ["meta", "link", "input", "path", "circle", "rect", "br", "img"]
        var open: [String] = []
        for match in html.matches(of: /<(\/?)([a-z0-9]+)((?:\s[^>]*)?)>/) {
            let name = String(match.2)
            if voids.contains(name) { continue }
            if match.1.isEmpty {
                open.append(name)
            } else if open.popLast() != name {
                return ["</\(name)> closes another element"]
            }
        }
        return open.map { "<\($0)> is not closed" }
    }

    private var ids: [String] {
        let all = Element.all(in: html).compactMap { $0["id"] }
        let twice = Dictionary(grouping: all) { $0 }.filter { $0.value.count > 1 }.keys
        let named = Element.all(in: html).flatMap { element in
            ["for", "aria-labelledby", "aria-describedby", "data-copy", "data-opens-dialog"]
                .compactMap { element[$0] }.flatMap { $0.split(separator: " ").map(String.init) }
        }
        return twice.map { "the id \($0) stands twice" }
            + Set(named).subtracting(all).map { "there is no element with the id \($0)" }
    }

    private var labels: [String] {
        let labelled = Set(elements("label").compactMap { $0["for"] })
        return (elements("input") + elements("textarea") + elements("meter")).filter { input in
            input["type"] != "hidden" && input["aria-hidden"] == nil && input["aria-label"] == nil
                && input["aria-labelledby"] == nil && !labelled.contains(input["id"] ?? "")
        }.map { "no label for \($0["name"] ?? $0.name)" }
    }

    private var scripts: [String] {
        elements("script").filter {
            $0["nonce"] != Self.nonce || $0["src"]?.hasSuffix(DashboardAssets.scriptURL) != true
        }
        .map { _ in "a script that is not the page's own" }
    }
}
