/// The page for a browser that came over plain HTTP, under a name where it keeps no session: why signing in cannot work
/// there, and where HTTPS is set up.
struct HTTPSRequiredPage: Page, Equatable {
    static let template = Template.httpsRequired
    /// The server returns nothing else over plain HTTP.
    static let embedsStylesheet = true

    /// The host with its port, as the browser wrote it; empty where it wrote nothing that can be shown.
    let authority: String
    /// Whether there is one.
    let hasAuthority: Bool
    /// The same host over HTTPS; nil where there is none to show.
    let secureURL: String?
    /// This server under `localhost`; nil for a browser on another machine.
    let localURL: String?

    /// Puts the page together.
    ///
    /// - Parameters:
    ///   - authority: The host with its port, as the browser wrote it; empty where there is none to show.
    ///   - isLocal: Whether the browser runs on the server's machine.
    ///   - home: The path of the start page.
    init(authority: String, isLocal: Bool, home: String = "/") {
        self.authority = authority
        hasAuthority = !authority.isEmpty
        let host = SecureContext.host(of: authority)
        secureURL = host.isEmpty ? nil : "https://\(host)\(home)"
        localURL = isLocal ? "http://localhost\(SecureContext.port(of: authority))\(home)" : nil
    }
}
