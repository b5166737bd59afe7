"""What the phone receives: a push becomes the headers and the body that APNs takes, or the message that FCM takes.

Pure. `text` cleans, cuts and masks; `words` speaks the device's language; `content` says what may be said, whatever the
platform; `apns` and `fcm` give it the provider's form within the provider's limit.
"""
