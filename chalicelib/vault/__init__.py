"""Sealing and opening credentials: fields and a context come in, a JSON object that says nothing goes out, and back.

Plain synchronous code, but for `keys.KeyService`, which a key file or AWS KMS fulfils; randomness is an argument. The
vault itself, which keeps what is sealed, is `adapters.vault`. Opening costs two HMACs and one AES-GCM.
"""
