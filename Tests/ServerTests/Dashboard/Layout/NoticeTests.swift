import Testing

@testable import KeybearerServer

/// Each ``Notice`` that a query asks for.
@Suite struct NoticeTests {
    private let notices = [
        Notice(.success, "First.", query: "first"), Notice(.information, "Second.", query: "second"),
    ]

    @Test("A query asks for the first notice that it names, whatever its value")
    func asked() {
        #expect(Notice.asked(by: [:], of: notices) == nil)
        #expect(Notice.asked(by: ["other": "1"], of: notices) == nil)
        #expect(Notice.asked(by: ["second": ""], of: notices)?.text == "Second.")
        #expect(Notice.asked(by: ["second": "1", "first": "1"], of: notices)?.text == "First.")
    }

    @Test("A failure is announced immediately, everything else politely")
    func roles() throws {
        let failure = try RenderedPage(
            SignInPage(notice: Notice(.failure, RenderedPage.hostile), isSignUpOpen: false))
        #expect(failure.problems == [])
        #expect(failure.has("p", ["class": "notice notice-failure", "role": "alert"]))
        #expect(!failure.html.contains(RenderedPage.hostile) && failure.text.contains(RenderedPage.hostile))
        let success = try RenderedPage(SignInPage(notice: notices[0], isSignUpOpen: false))
        #expect(success.has("p", ["class": "notice notice-success", "role": "status"]))
    }
}
