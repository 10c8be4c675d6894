import Foundation
import Keybearer
import KeybearerServer

/// The settings that make the pages look like the product's.
extension SettingReader {
    /// Name, logo, help and colour.
    func brand() throws(SettingError) -> Brand {
        var brand = Brand()
        brand.productName = try required(.productName) { ProductName($0) }
        brand.logo = try logo()
        brand.supportURL = try optional(.supportURL) { SupportURL($0) }
        brand.accentColor = try optional(.accentColor) { AccentColor($0) }
        return brand
    }

    /// The picture, read now: it is served from memory.
    private func logo() throws(SettingError) -> BrandLogo? {
        guard let found = sources.find(.productLogo) else { return nil }
        do {
            return try BrandLogo(try Self.bytes(of: found.value))
        } catch {
            let reason = (error as? BrandLogo.Problem)?.description ?? "the file cannot be read"
            throw refusal(.productLogo, found, because: reason)
        }
    }

    /// At most one byte more than a logo may have: a large file is not read to its end.
    private static func bytes(of path: String) throws -> [UInt8] {
        guard let file = FileHandle(forReadingAtPath: path) else { throw CocoaError(.fileReadNoSuchFile) }
        defer { try? file.close() }
        var bytes: [UInt8] = []
        while bytes.count <= BrandLogo.mostBytes,
            let part = try file.read(upToCount: BrandLogo.mostBytes + 1 - bytes.count), !part.isEmpty
        {
            bytes += part
        }
        return bytes
    }
}
