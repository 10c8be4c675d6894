/// Names browsers for people. A courtesy: the text comes from the client and proves nothing.
enum BrowserName {
    /// Turns a `User-Agent` into words such as `Firefox on Linux`.
    ///
    /// What is not recognised is shown by its first product name, such as `curl`; empty text is "Unknown browser".
    static func describe(_ userAgent: String) -> String {
        let product = browsers.first { userAgent.contains($0.mark) }?.name
        let system = systems.first { userAgent.contains($0.mark) }?.name
        let firstProduct = userAgent.prefix { $0 != "/" && $0 != " " }.prefix(40)
        switch (product, system) {
        case (let product?, let system?): return "\(product) on \(system)"
        case (let product?, nil): return product
        case (nil, let system?): return "A browser on \(system)"
        case (nil, nil): return firstProduct.isEmpty ? "Unknown browser" : String(firstProduct)
        }
    }

    /// In this order, because Edge and Opera also say `Chrome/` and Chrome also says `Safari/`.
    private static let browsers: [(mark: String, name: String)] = [
        ("Edg/", "Edge"), ("EdgA/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
    ]

    /// In this order, because Android also says `Linux` and iPhones also say `Mac OS X`.
    private static let systems: [(mark: String, name: String)] = [
        ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
        ("Macintosh", "Mac"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
    ]
}
