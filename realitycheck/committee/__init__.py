"""The networks that judge a picture, and how their answers become one."""
