// Package progress keeps the bucket that says how far each running job is, for people who watch it. The bucket is a convenience
// beside the log: it promises neither order nor completeness, no decision rests on it, and a bridge works without it.
//
// A [Store] has two halves, which [Store.Run] runs:
//
//   - The writer (writer.go) takes what the poller reads of running jobs ([Store.Put]) and that a job has ended ([Store.Delete]).
//     Neither waits: they leave the newest value of each job for a goroutine that writes it. A value is written if it differs from
//     the last by [Step] points, or if [MaxAge] has passed. Values that cannot be written wait, and newer ones replace them.
//   - The follower (follower.go) reads the bucket, whichever bridge writes it, into a map from which /v1 answers ([Store.Get]). It
//     also creates the bucket, notices that it is gone or was created anew, and logs why it cannot be used.
//
// A value goes when its job ends: the bridge that polls the project deletes it with the event. What it misses, such as jobs that
// ended while no bridge polled, it deletes when it next compares the bucket with the log, every [checkInterval]; and what no
// bridge deletes expires.
package progress
