package import Keybearer

/// What a scan is told.
package struct ScanOptions: Sendable {
    /// The prefixes of this product's keys. Keys with a right checksum are found whatever their prefix.
    package var prefixes: [KeyPrefix] = [.standard]
    /// How many archives may be inside of each other; a compressed archive, such as `.tar.gz`, is two.
    package var archiveDepth = 8
    /// The most bytes that are unpacked of one file, or of one repository's history, with all archives in each other.
    package var unpackLimit = 4 << 30
    /// Whether the histories of repositories are looked at.
    package var readsHistory = true
    /// How long git may say nothing before it is ended.
    package var gitTimeout: Duration = .seconds(120)

    package init() {}
}
