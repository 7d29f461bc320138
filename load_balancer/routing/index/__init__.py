"""The index of many substations, so that a choice looks only at those near the best.

Up to 32 substations are looked at one by one (`view.Scan`). For more, the pool keeps this index up
to date, and every choice is the same as with a scan:

- `substation_index`: all substations in the order of their load; the view that the matcher asks.
- `finish_index`: those with known power, for the policy `earliest-finish`. Substations where no
  session is limited are kept in *tiers* of equal points; the others in *buckets* of similar ones.
- `buckets`: one bucket, and the key by which substations are similar.
- `lower_bound`: the least that a vehicle can cost at any substation of a bucket.
- `finish_search`: one vehicle's search through tiers and buckets, by those bounds.
"""
