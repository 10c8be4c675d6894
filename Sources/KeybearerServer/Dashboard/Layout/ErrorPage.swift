/// The page for a request that failed, for people; API clients get JSON instead.
struct ErrorPage: Page, Equatable {
    static let template = Template.error

    /// The HTTP status.
    let status: Int
    /// What happened, in a few words.
    let title: String
    /// What it means and what to do, in words that are safe for anyone.
    let message: String
    /// Names the request in the log, for whoever asks the operator; nil where there is none.
    let requestID: String?
    /// What a failed request for the key leaves behind; nil for other requests.
    let outcome: KeyRequestOutcome?
    /// Where the page's link leads.
    let homePath: String

    /// Puts the page together.
    ///
    /// - Parameters:
    ///   - title: Replaces the status's own words.
    ///   - message: Replaces the status's own sentence.
    init(
        status: Int, title: String? = nil, message: String? = nil, requestID: String? = nil,
        outcome: KeyRequestOutcome? = nil,
        homePath: String = "/"
    ) {
        let words = Self.words(for: status)
        self.status = status
        self.title = title ?? words.title
        self.message = message ?? words.message
        self.requestID = requestID
        self.outcome = outcome
        self.homePath = homePath
    }

    private static func words(for status: Int) -> (title: String, message: String) {
        switch status {
        case 400: ("That request made no sense", "The browser sent something this server could not read.")
        case 401: ("Sign in first", "This page is for people who are signed in.")
        case 403: ("Not allowed", "Your account may not do that, or the request came from another site.")
        case 404: ("Page not found", "There is nothing at this address, or it is not yours to see.")
        case 405: ("Not possible here", "This address exists, but not for that kind of request.")
        case 409: ("Changed meanwhile", "Somebody changed this before you did. Go back, reload and try again.")
        case 413: ("Too large", "The browser sent more than this server accepts.")
        case 415: ("Wrong format", "The browser sent a format that this server does not read.")
        case 422: ("Not accepted", "Some of the values were not accepted. Go back and correct them.")
        case 429: ("Too many requests", "Wait a moment before you try again.")
        case 503: ("Not available for the moment", "Part of the service is out of reach. Try again shortly.")
        case 500...: ("Something went wrong", "The fault is on our side. Try again; if it stays, tell the operator.")
        default: ("That did not work", "Go back and try again.")
        }
    }
}
