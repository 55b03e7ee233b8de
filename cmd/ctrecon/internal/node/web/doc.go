// Package web is the node's page, its JSON API and its DICOMweb services, on one HTTP
// handler. It keeps nothing: what it shows is read from the node's store and its results.
//
// # Who may do what
//
// With a token every request but those for health and for the login form carries it, as
// "Authorization: Bearer", or carries the cookie that the form sets. Without a token the
// handler answers everybody who reaches it: serve allows that on loopback, or where
// certificates of clients are checked. On loopback a Host header of another name is
// refused then, so that a page which has its name point to 127.0.0.1 reads nothing.
// What changes something is a POST: of the API with the header X-Ctrecon, which no form
// of another site can send, and from no other origin.
//
// # What is shown
//
// The page and the API show UIDs, descriptions of series, modalities, AE titles and times.
// Names and identifiers of patients are in the answers of DICOMweb and in results alone,
// where a client asks for them.
package web
