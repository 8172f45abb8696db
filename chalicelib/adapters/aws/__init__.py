"""DynamoDB, SQS and S3 over our own HTTP client and signer."""
