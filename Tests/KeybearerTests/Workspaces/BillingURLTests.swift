import Testing

@testable import Keybearer

/// A ``BillingURL``: new ones, and those that a database of version 0.1 holds.
@Suite struct BillingURLTests {
    @Test(
        "Billing URLs are absolute and lead where they seem to",
        arguments: [
            ("https://yourapp.com/billing", true), ("http://yourapp.com", true),
            ("HTTPS://yourapp.com:8443/a?b=c#d", true),
            ("https://[2001:db8::1]/x", true), ("https://yourapp.com/a@b", true), ("https://yourapp.com/%20", true),
            ("", false), ("javascript:alert(1)", false), ("java\nscript:alert(1)", false), ("data:text/html,x", false),
            ("//evil.example", false), ("/\t/evil.example", false), ("/\\evil.example", false), ("/billing", false),
            ("billing", false), ("https:/yourapp.com", false), ("https:yourapp.com", false), ("https://", false),
            ("https://user@yourapp.com", false), ("https://yourapp.com@evil.example/", false),
            ("https://yourapp.com\\@evil.example", false), (" https://yourapp.com", false),
            ("https://yourapp.com/a b", false),
            ("https://yourapp.com/\u{202E}", false), ("https://yourapp.com/\"x", false),
            ("https://yourapp.com:x/", false),
            ("https://yourapp.com/\u{0}", false),
            ("https://yourapp.com/" + String(repeating: "a", count: 2_048), false),
        ])
    func billingURLs(text: String, isGood: Bool) {
        #expect((try? BillingURL(text))?.description == (isGood ? text : nil))
        if !isGood {
            #expect {
                _ = try BillingURL(text)
            } throws: { ($0 as? KeybearerError)?.fields["billingURL"] != nil }
        }
    }

    @Test(
        "Of what a database of version 0.1 holds, links and paths of this server stay; all else is no link",
        arguments: [
            ("https://yourapp.com/billing", true), ("/billing", true), ("/", true), ("/billing?plan=pro", true),
            ("javascript:alert(1)", false), ("//evil.example", false), ("/\t/evil.example", false),
            ("/\\evil.example", false), ("", false), ("billing", false), ("https://a@evil.example", false),
        ])
    func storedURLs(text: String, isLink: Bool) {
        #expect(BillingURL(stored: text)?.description == (isLink ? text : nil))
    }
}
