import HTTPTypes
import Testing

@testable import Keybearer
@testable import KeybearerServer

extension BrandLogo {
    static let svg = #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><rect width="1" height="1"/></svg>"#
}

/// A ``BrandLogo``: what is one, and how ``AssetHandlers`` serve it.
@Suite struct BrandLogoTests {
    private static let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13]
    private static let webp = Array("RIFF\u{1}\u{2}\u{3}\u{4}WEBPVP8 ".utf8)

    @Test("The content says what it is")
    func types() throws {
        #expect(try BrandLogo(Self.png).contentType == "image/png")
        #expect(try BrandLogo(Self.webp).contentType == "image/webp")
        for text in [
            BrandLogo.svg, "\u{FEFF}\n" + BrandLogo.svg,
            #"<?xml version="1.0"?>"# + "\n<!-- a --><!-- b -->\n" + BrandLogo.svg,
            "<?xml version=\"1.0\"?>\n<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"a\">\n" + BrandLogo.svg,
            "<svg/>",
            "<svg>\n</svg>",
        ] {
            #expect(try BrandLogo(Array(text.utf8)).contentType == "image/svg+xml", "\(text)")
        }
    }

    @Test("Other files, and pages that hold an SVG, are refused")
    func refused() {
        let texts = [
            "", "GIF89a", "<html><svg></svg></html>", "<!doctype html><svg></svg>", "<svgx></svgx>", "<!-- <svg></svg>",
            "<script>alert(1)</script><svg></svg>", #"<!DOCTYPE svg [<!ENTITY a "b">]><svg></svg>"#, "RIFF1234WAVE",
        ]
        for bytes in texts.map({ Array($0.utf8) }) + [[0xFF] + Array(BrandLogo.svg.utf8), [0x89, 0x50]] {
            #expect(throws: BrandLogo.Problem(description: "the file is no PNG, no WebP and no SVG in UTF-8")) {
                try BrandLogo(bytes)
            }
        }
        #expect(throws: Never.self) { try BrandLogo(Self.png + Array(repeating: 0, count: BrandLogo.mostBytes - 12)) }
        #expect(throws: BrandLogo.Problem(description: "the file is larger than 256 KiB")) {
            try BrandLogo(Self.png + Array(repeating: 0, count: BrandLogo.mostBytes))
        }
    }

    @Test("It is served from memory with its type, and under a policy that runs nothing")
    func served() async throws {
        let logo = try BrandLogo(Array(#"<svg onload="alert(1)"><script>alert(2)</script></svg>"#.utf8))
        let fixture = try ServerFixture { edge, _ in edge.brand.logo = logo }
        for (path, caching) in [
            ("/assets/logo?v=\(logo.hash)", "public, max-age=31536000, immutable"), ("/assets/logo", "no-cache"),
        ] {
            let response = try await fixture.respond(.get, path)
            #expect(response.status == 200 && response.body.hasPrefix("<svg onload"))
            #expect(response.headers[.contentType] == "image/svg+xml")
            #expect(response.headers[.cacheControl] == caching)
            #expect(response.headers[HeaderName.contentTypeOptions] == "nosniff")
            let policy = response.headers[HeaderName.csp] ?? ""
            #expect(
                policy.hasPrefix("default-src 'none';") && policy.hasSuffix("; sandbox") && !policy.contains("script"))
        }
        let page = try await fixture.respond(.get, "/sign-in").body
        #expect(page.contains(#"<img class="logo logo-picture" src="/assets/logo?v=\#(logo.hash)" alt="">"#))
        #expect(page.contains(#"<link rel="icon" href="/assets/logo?v=\#(logo.hash)">"#))
    }

    @Test("Without one there is none")
    func none() async throws {
        let fixture = try ServerFixture()
        #expect(try await fixture.respond(.get, "/assets/logo").status == 404)
        #expect(try await fixture.respond(.get, "/assets/brand.css").status == 404)
        let page = try await fixture.respond(.get, "/sign-in").body
        #expect(!page.contains("/assets/logo") && !page.contains("/assets/brand.css") && !page.contains("<img"))
    }
}
