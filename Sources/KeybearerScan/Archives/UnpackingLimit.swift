/// How much may be unpacked of one file, or of one repository's history, over all archives in each other: an archive of a
/// few kilobytes can hold petabytes.
final class UnpackingLimit {
    /// The most bytes.
    let most: Int
    private(set) var used = 0

    init(_ most: Int) { self.most = most }

    /// Whether nothing more is unpacked.
    var isReached: Bool { used >= most }

    /// Counts bytes that were unpacked.
    ///
    /// - Throws: ``Unreadable`` when they are too many.
    func count(_ bytes: Int) throws(Unreadable) {
        let (sum, isOver) = used.addingReportingOverflow(bytes)
        used = isOver ? .max : sum
        if isReached { throw Unreadable(message) }
    }

    /// What is said of an archive that was not read to its end, or at all.
    var message: String {
        "not unpacked to its end: what is in it has more than \(most) bytes (--unpack-limit)"
    }
}
