/// The style sheet and the script of the dashboard, embedded in the program.
///
/// Their addresses carry a hash of their content, so they can be cached for good and still change with the program.
enum DashboardAssets {
    /// Where the style sheet is served, without the query.
    static let stylesheetPath = "/assets/dashboard.css"
    /// Where the script is served, without the query.
    static let scriptPath = "/assets/dashboard.js"

    /// The style sheet's text.
    static let stylesheetText = DashboardFiles.stylesheets.joined()
    /// The style sheet; `text/css; charset=utf-8`.
    static let stylesheet = [UInt8](stylesheetText.utf8)
    /// The script, one of its files after the other, Layout's first; `text/javascript; charset=utf-8`.
    static let script = [UInt8](DashboardFiles.scripts.joined().utf8)

    /// Names the style sheet's content.
    static let stylesheetHash = contentHash(stylesheet)
    /// Names the script's content.
    static let scriptHash = contentHash(script)

    /// The style sheet's address in pages.
    static let stylesheetURL = "\(stylesheetPath)?v=\(stylesheetHash)"
    /// The script's address in pages.
    static let scriptURL = "\(scriptPath)?v=\(scriptHash)"

    /// Where the brand's style sheet is served, without the query.
    static let brandStylesheetPath = "/assets/brand.css"
    /// Where the logo is served, without the query.
    static let logoPath = "/assets/logo"

    /// FNV-1a with 64 bits, in hexadecimal. It tells versions apart and protects nothing.
    static func contentHash(_ bytes: [UInt8]) -> String {
        let hash = bytes.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }
}

/// What the brand adds to the assets, with addresses like theirs.
struct BrandAssets: Sendable {
    let logo: BrandLogo?
    /// The brand's style sheet; nil where there is none.
    let stylesheet: [UInt8]?
    /// Names the style sheet's content.
    let stylesheetHash: String
    /// The style sheet's address in pages.
    let stylesheetURL: String?
    /// The logo's address in pages.
    let logoURL: String?

    init(_ brand: Brand) {
        logo = brand.logo
        logoURL = brand.logo.map { "\(DashboardAssets.logoPath)?v=\($0.hash)" }
        let bytes = brand.stylesheet.map { [UInt8]($0.utf8) }
        let hash = DashboardAssets.contentHash(bytes ?? [])
        stylesheet = bytes
        stylesheetHash = hash
        stylesheetURL = bytes.map { _ in "\(DashboardAssets.brandStylesheetPath)?v=\(hash)" }
    }
}
