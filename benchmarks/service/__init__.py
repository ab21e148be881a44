"""The service under load: events, slow disks, a million visitors, disturbances, soaking."""
