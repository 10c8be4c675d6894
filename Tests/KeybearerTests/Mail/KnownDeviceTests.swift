import TestSupport
import Testing

@testable import Keybearer

/// ``KnownDevice``: what tells devices apart.
@Suite struct KnownDeviceTests {
    @Test("A cookie's number is 256 random bits, and nothing else is one")
    func cookies() {
        let random = RandomSource.seeded(3)
        let (one, other) = (KnownDevice.makeCookie(random: random), KnownDevice.makeCookie(random: random))
        #expect(KnownDevice.isCookie(one) && one != other)
        for text in ["", String(one.dropLast()), one + "a", String(one.dropLast()) + "-"] {
            #expect(!KnownDevice.isCookie(text))
        }
        #expect(KnownDevice.digest(ofCookie: one) != KnownDevice.digest(ofCookie: other))
    }

    @Test("Without a cookie the browser's name and the network stand for the device")
    func browsers() throws {
        let address = try #require(IPAddress("2001:db8::1"))
        let neighbour = try #require(IPAddress("2001:db8::2"))
        let digest = KnownDevice.digest(browser: "Firefox on Linux", at: address)
        #expect(digest == KnownDevice.digest(browser: "Firefox on Linux", at: neighbour))
        #expect(digest != KnownDevice.digest(browser: "Chrome on Linux", at: address))
        #expect(digest != KnownDevice.digest(browser: "Firefox on Linux", at: Samples.address))
    }
}
