"""What passes between the service and its store: plain frozen values, and what is asked of either side.

One module for each stretch of a record's way. `store` takes and returns the values; `intake`,
`dispatcher` and `relay` make and read them. No SQL and no Kafka type crosses this line.
"""
