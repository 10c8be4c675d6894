import Testing

@testable import Keybearer

/// A ``ProductName``, for people and as a realm.
@Suite struct ProductNameTests {
    @Test(
        "Visible ASCII is the realm, whatever it stands beside",
        arguments: [
            ("Acme", "Acme"), ("Acme Cloud", "Acme Cloud"), ("Café Nord", "Caf Nord"), ("漢字", "API"),
            ("漢字 Cloud", "Cloud"), (#"The "A" \ Team"#, "The A Team"), ("A", "A"),
        ])
    func realm(name: String, realm: String) throws {
        #expect(try #require(ProductName(name)).realm == realm)
    }

    @Test("A name is stored in Unicode's form NFC")
    func spelling() {
        #expect(ProductName("Cafe\u{301}") == ProductName("Caf\u{E9}"))
        #expect(ProductName("Cafe\u{301}")?.description.unicodeScalars.count == 4)
        #expect(ProductName.standard.description == "Keybearer" && ProductName.standard == ProductName("Keybearer"))
    }

    @Test(
        "What nobody sees, and what is too long for a page, is refused",
        arguments: [
            "", " ", " Acme", "Acme ", "Acme\n", "A\u{0}cme", "A\u{200B}cme", "\u{202E}Acme", "\u{301}",
            String(repeating: "a", count: 61),
        ])
    func refused(name: String) {
        #expect(ProductName(name) == nil)
    }

    @Test("The longest name")
    func longest() {
        #expect(ProductName(String(repeating: "é", count: 60)) != nil)
    }
}
