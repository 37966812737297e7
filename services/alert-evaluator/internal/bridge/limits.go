package bridge

import "time"

// Limits, each with its reason.
const (
	maxReceivers     = 32               // each is a member of its own consumer group, with connections of its own
	maxAttempts      = 100              // more is a receiver that is gone, not one that is away
	maxTimeout       = 5 * time.Minute  // a request; the partition's later events wait behind it
	maxWait          = 10 * time.Minute // between attempts, whatever Retry-After says: a receiver must not put us to sleep for a year
	minResend        = time.Second      // faster is load without use
	maxResend        = 10 * time.Minute // an Alertmanager that was started anew knows of nothing for as long
	postsMissed      = 4                // of resend: an alert that was not posted for so long is over, as Prometheus has it
	maxAnswerBytes   = 64 << 10         // of a response that are read, so that its connection can be used again
	maxReasonBytes   = 256              // of a response that are quoted in the reason of a dead letter
	maxSeen          = 50_000           // fingerprints a partition whose last sequence is remembered, twice over
	maxActive        = 20_000           // alerts a partition that an Alertmanager is told of again and again: 1–2 KiB each
	maxEnds          = 8                // untold ends of one alert, whose severity went to and fro
	maxPost          = 256              // alerts a POST of the re-posting: some 500 KiB
	firstLook        = 5 * time.Minute  // how old an event may be for a receiver that never ran: as old as the relay sends one (ALERT_MAX_AGE)
	closeTimeout     = 8 * time.Second  // for leaving the group and for the dead letters under way
	defaultResend    = time.Minute
	defaultTimeout   = 10 * time.Second
	defaultAttempts  = 8
	defaultBackoff   = time.Second
	defaultMaxPause  = time.Minute
	reasonRenotify   = "renotify"        // nothing changed, it fires still
	reasonCatchUp    = "catch_up"        // it fires for long already
	silencedBy       = "silenced_by"     // the annotation of an alert that somebody silenced
	acknowledgedBy   = "acknowledged_by" // and of one that somebody looks after
	componentPrefix  = "bridge-"
	groupPrefix      = "logmill-bridge-"
	alertsPath       = "/api/v2/alerts"
	contentTypeJSON  = "application/json"
	headerSignature  = "X-Logmill-Signature"
	headerEventID    = "X-Logmill-Event-Id"
	clientID         = "bridge"
	userAgent        = "logmill-bridge"
	originalPrefix   = "original-"
	maxConnsReceiver = 16 // a partition posts one request at a time
)
