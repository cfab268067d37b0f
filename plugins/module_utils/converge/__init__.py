"""What the roles' modules share: downloads, images, models, installers. Standard library only, Python 3.7 and up."""
