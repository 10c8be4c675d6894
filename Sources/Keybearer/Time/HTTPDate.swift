extension Timestamp {
    /// Reads the form that HTTP dates are written in, `Sat, 31 Jan 2026 09:05:07 GMT`; nil for every other, the two old ones
    /// of RFC 9110 §5.6.7 included.
    package init?(httpDate text: String) {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard text.utf8.count == 29, words.count == 6, let month = months.firstIndex(of: String(words[2])) else {
            return nil
        }
        let number = (month < 9 ? "0" : "") + String(month + 1)
        self.init(rfc3339: "\(words[3])-\(number)-\(words[1])T\(words[4])Z")
        // The day of the week, and whatever else it says.
        guard httpDate == text else { return nil }
    }
}
