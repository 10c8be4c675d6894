/// How the writes that nobody waits for are spread: last uses, and budget that is given back.
///
/// Whoever waits for the store, such as for a reservation, comes behind the transaction that is under way and behind the
/// disk that has to take it. So a second's writes are made over the next second, a few rows at a time.
enum BackgroundWrites {
    /// How often what has gathered is written.
    static let interval: Duration = .milliseconds(100)
    /// How many rows are written in one transaction: a few while they are few, more when they would fall behind.
    static let batchSizes = 16...64

    /// Divides what is to be written; each part is a transaction of its own.
    static func batches<Element>(_ elements: [Element]) -> [ArraySlice<Element>] {
        let size = min(max(elements.count / 8, batchSizes.lowerBound), batchSizes.upperBound)
        return stride(from: 0, to: elements.count, by: size).map { start in
            elements[start..<min(start + size, elements.count)]
        }
    }
}
